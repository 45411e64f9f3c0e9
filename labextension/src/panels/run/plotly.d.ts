/** The part of plotly.js that the loss plot uses. */
declare module 'plotly.js-basic-dist-min' {
  type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json };

  export function react(
    host: HTMLElement,
    data: readonly Json[],
    layout: Json,
    config: Json
  ): Promise<PlotlyHost>;
  export interface PlotlyClick {
    readonly points: readonly { readonly x: unknown }[];
  }
  export interface PlotlyHost extends HTMLElement {
    on(event: 'plotly_click', listener: (click: PlotlyClick) => void): void;
  }
  export function purge(host: HTMLElement): void;
  export const Plots: { resize(host: HTMLElement): void };
}

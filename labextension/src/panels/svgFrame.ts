/** A plot's frame as SVG text: where a point lies, ticks, lines and dots. Numbers and given colours. */

import type { Point } from '../wire';
import { formatCount } from './format';

export const MARGIN = { left: 46, right: 12, top: 12, bottom: 34 };
const NUM_Y_TICKS = 5;
const PIXELS_PER_X_TICK = 90;

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Frame extends Size {
  readonly x: (step: number) => number;
  readonly y: (loss: number) => number;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
}

export interface AxisColours {
  readonly muted: string;
  readonly grid: string;
}

export interface Stroke {
  readonly width?: number;
  readonly opacity?: number;
  /** As SVG writes it; empty: without gaps. */
  readonly dash?: string;
}

/** A frame in which all these losses have room, from step 0 to `last`. */
export function makeFrame(losses: readonly number[], last: number, { width, height }: Size, isLog = false): Frame {
  const low = losses.reduce((a, b) => Math.min(a, b), Infinity);
  const high = losses.reduce((a, b) => Math.max(a, b), -Infinity);
  const scale = isLog ? Math.log10 : (loss: number) => loss;
  const isEmpty = losses.length === 0;
  const [bottom, top] = isEmpty ? [0, 1] : isLog ? [scale(low) - 0.05, scale(high) + 0.05] : padded(low, high);
  const innerWidth = width - MARGIN.left - MARGIN.right;
  const innerHeight = height - MARGIN.top - MARGIN.bottom;
  return {
    width,
    height,
    x: step => MARGIN.left + (step / last) * innerWidth,
    y: loss => MARGIN.top + (1 - (scale(loss) - bottom) / (top - bottom)) * innerHeight,
    xTicks: ticks(0, last, Math.max(2, Math.floor(innerWidth / PIXELS_PER_X_TICK))),
    yTicks: isEmpty ? [] : isLog ? logTicks(10 ** bottom, 10 ** top) : ticks(bottom, top, NUM_Y_TICKS)
  };
}

/**
 * The last step of an axis. The whole run while that is not much longer than what is there, so that
 * the axis stands still; of a long run, a little more than what is there.
 */
export function lastStepOf(newest: number, totalSteps: number): number {
  if (totalSteps > 0 && totalSteps <= Math.max(100, 2 * newest)) {
    return Math.max(newest, totalSteps);
  }
  return Math.max(10, newest);
}

function padded(low: number, high: number): [number, number] {
  const pad = high > low ? 0.06 * (high - low) : Math.max(0.05 * Math.abs(high), 0.01);
  return [low >= 0 ? Math.max(0, low - pad) : low - pad, high + pad];
}

/** Round numbers from `low` to `high`, about `count` of them. */
export function ticks(low: number, high: number, count: number): number[] {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const unit = [1, 2, 5, 10].find(factor => factor * power >= raw) ?? 10;
  const step = unit * power;
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** 1, 2 and 5 of each power of ten; of many powers only these themselves. */
export function logTicks(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low));
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - first + 1 }, (_, i) => 10 ** (first + i));
  const factors = powers.length > 5 ? [1] : [1, 2, 5];
  const all = powers.flatMap(power => factors.map(factor => Number((factor * power).toPrecision(3))));
  const shown = all.filter(tick => tick >= low && tick <= high);
  return shown.length > 1 ? shown : ticks(low, high, NUM_Y_TICKS);
}

/** Lines of the losses, and the steps below. */
export function axes(frame: Frame, colours: AxisColours): string {
  const right = frame.width - MARGIN.right;
  const base = frame.height - MARGIN.bottom;
  const rows = frame.yTicks.map(tick => {
    const y = round(frame.y(tick));
    return (
      `<path d="M${MARGIN.left} ${y}H${right}" stroke="${colours.grid}"/>` +
      `<text x="${MARGIN.left - 6}" y="${y + 4}" text-anchor="end" fill="${colours.muted}">${tick}</text>`
    );
  });
  const columns = frame.xTicks.map(
    tick =>
      `<text x="${round(frame.x(tick))}" y="${base + 15}" text-anchor="middle" ` +
      `fill="${colours.muted}">${formatCount(tick)}</text>`
  );
  const middle = round((MARGIN.left + right) / 2);
  const title = `<text x="${middle}" y="${frame.height - 4}" text-anchor="middle" fill="${colours.muted}">step</text>`;
  const line = `<path d="M${MARGIN.left} ${base}H${right}" stroke="${colours.muted}" opacity="0.6"/>`;
  return rows.join('') + line + columns.join('') + title;
}

export function polyline(points: readonly Point[], frame: Frame, colour: string, stroke: Stroke = {}): string {
  if (points.length < 2) {
    return '';
  }
  const path = points.map(([step, loss]) => `${round(frame.x(step))} ${round(frame.y(loss))}`);
  const dash = stroke.dash ? ` stroke-dasharray="${stroke.dash}"` : '';
  return (
    `<path d="M${path.join('L')}" fill="none" stroke="${colour}" stroke-width="${stroke.width ?? 2}" ` +
    `stroke-linejoin="round" opacity="${stroke.opacity ?? 1}"${dash}/>`
  );
}

export function dot([step, loss]: Point, frame: Frame, colour: string): string {
  return `<circle cx="${round(frame.x(step))}" cy="${round(frame.y(loss))}" r="3.5" fill="${colour}"/>`;
}

export function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}

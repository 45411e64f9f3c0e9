"use strict";(self.rspackChunktwinkle_jupyter=self.rspackChunktwinkle_jupyter||[]).push([[266],{757(e,t,i){var n=i(601),r=i.n(n),o=i(314),p=(i.n(o))()(r());p.push([e.id,'.uplot, .uplot *, .uplot *::before, .uplot *::after {box-sizing: border-box;}.uplot {font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif, "Apple Color Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Noto Color Emoji";line-height: 1.5;width: min-content;}.u-title {text-align: center;font-size: 18px;font-weight: bold;}.u-wrap {position: relative;user-select: none;}.u-over, .u-under {position: absolute;}.u-under {overflow: hidden;}.uplot canvas {display: block;position: relative;width: 100%;height: 100%;}.u-axis {position: absolute;}.u-legend {font-size: 14px;margin: auto;text-align: center;}.u-inline {display: block;}.u-inline * {display: inline-block;}.u-inline tr {margin-right: 16px;}.u-legend th {font-weight: 600;}.u-legend th > * {vertical-align: middle;display: inline-block;}.u-legend .u-marker {width: 1em;height: 1em;margin-right: 4px;background-clip: padding-box !important;}.u-inline.u-live th::after {content: ":";vertical-align: middle;}.u-inline:not(.u-live) .u-value {display: none;}.u-series > * {padding: 4px;}.u-series th {cursor: pointer;}.u-legend .u-off > * {opacity: 0.3;}.u-select {background: rgba(0,0,0,0.07);position: absolute;pointer-events: none;}.u-cursor-x, .u-cursor-y {position: absolute;left: 0;top: 0;pointer-events: none;will-change: transform;}.u-hz .u-cursor-x, .u-vt .u-cursor-y {height: 100%;border-right: 1px dashed #607D8B;}.u-hz .u-cursor-y, .u-vt .u-cursor-x {width: 100%;border-bottom: 1px dashed #607D8B;}.u-cursor-pt {position: absolute;top: 0;left: 0;border-radius: 50%;border: 0 solid;pointer-events: none;will-change: transform;/*this has to be !important since we set inline "background" shorthand */background-clip: padding-box !important;}.u-axis.u-off, .u-select.u-off, .u-cursor-x.u-off, .u-cursor-y.u-off, .u-cursor-pt.u-off {display: none;}',""]),i.d(t,{},{A:p})},405(e,t,i){var n=i(601),r=i.n(n),o=i(314),p=(i.n(o))()(r());p.push([e.id,`/* The token ribbon and the chat. */

.jp-twinkle-ribbon {
  overflow: auto;
  max-height: 320px;
  margin-top: 6px;
  padding: 8px 10px;
  border: 1px solid var(--jp-twinkle-border);
  border-radius: 4px;
  font-family: var(--jp-code-font-family, var(--vscode-editor-font-family, monospace));
  font-size: var(--jp-code-font-size, 13px);
  line-height: 1.9;
  overflow-wrap: anywhere;
  white-space: pre-wrap;
}

.jp-twinkle-ribbon:focus-visible,
.jp-twinkle-turns:focus-visible {
  outline: 2px solid var(--jp-twinkle-train);
  outline-offset: -1px;
}

.jp-twinkle-token {
  margin-right: 1px;
  padding: 2px 0;
  border-radius: 3px;
  background: color-mix(in srgb, var(--jp-twinkle-role, transparent) 16%, transparent);
  color: var(--jp-twinkle-text);
  cursor: default;
}

.jp-twinkle-role-system {
  --jp-twinkle-role: var(--jp-twinkle-muted);
}

.jp-twinkle-role-user {
  --jp-twinkle-role: var(--jp-twinkle-train);
}

.jp-twinkle-role-assistant {
  --jp-twinkle-role: var(--jp-twinkle-success);
}

.jp-twinkle-role-tool {
  --jp-twinkle-role: var(--jp-twinkle-eval);
}

.jp-twinkle-token.jp-twinkle-mod-learned {
  background: color-mix(in srgb, var(--jp-twinkle-role, var(--jp-twinkle-success)) 30%, transparent);
  box-shadow: inset 0 -2px 0 var(--jp-twinkle-success);
}

.jp-twinkle-token.jp-twinkle-mod-shaded {
  background: color-mix(in srgb, var(--jp-twinkle-shade, transparent) var(--jp-twinkle-strength, 0%), transparent);
}

.jp-twinkle-token.jp-twinkle-mod-special {
  outline: 1px dashed var(--jp-twinkle-muted);
  outline-offset: -1px;
}

.jp-twinkle-token.jp-twinkle-mod-cut {
  background: none;
  color: var(--jp-twinkle-muted);
  text-decoration: line-through;
}

.jp-twinkle-token.jp-twinkle-mod-current {
  outline: 2px solid var(--jp-twinkle-train);
  outline-offset: 0;
}

.jp-twinkle-token-details {
  overflow: hidden;
  min-height: 1.5em;
  margin-top: 6px;
  overflow-wrap: anywhere;
}

.jp-twinkle-legend {
  display: flex;
  flex-wrap: wrap;
  gap: 6px;
  margin-top: 8px;
  font-size: 0.92em;
}

.jp-twinkle-legend .jp-twinkle-token {
  padding: 1px 6px;
}

.jp-twinkle-tokens select.jp-twinkle-entry {
  width: auto;
  background: var(--jp-twinkle-background);
}

.jp-twinkle-turns {
  overflow: auto;
  max-height: 420px;
}

.jp-twinkle-turn {
  margin: 10px 0;
}

.jp-twinkle-asked {
  width: fit-content;
  max-width: 85%;
  margin-left: auto;
  padding: 6px 12px;
  border-radius: 12px 12px 2px;
  background: var(--jp-twinkle-raised);
  overflow-wrap: anywhere;
  white-space: pre-wrap;
}

.jp-twinkle-answers {
  display: grid;
  gap: 10px;
  grid-template-columns: repeat(auto-fit, minmax(min(16em, 100%), 1fr));
  margin-top: 8px;
}

.jp-twinkle-bubble {
  display: flex;
  flex-direction: column;
  padding: 6px 12px;
  border: 1px solid var(--jp-twinkle-border);
  border-radius: 2px 12px 12px;
  overflow-wrap: anywhere;
}

.jp-twinkle-bubble .jp-twinkle-answer {
  flex: 1;
  max-height: none;
}

.jp-twinkle-bubble-model {
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
  font-weight: 600;
}

.jp-twinkle-bubble-foot {
  display: flex;
  align-items: center;
  gap: 4px;
  margin-top: 4px;
}

.jp-twinkle-bubble-foot .jp-twinkle-answer-step {
  flex: 1;
}

.jp-twinkle-thumb {
  min-width: 32px;
  padding: 0 4px;
}

.jp-twinkle-thumb[aria-pressed='true'] {
  border-color: var(--jp-twinkle-train);
  background: color-mix(in srgb, var(--jp-twinkle-train) 22%, transparent);
}

.jp-twinkle-asking {
  display: flex;
  flex-wrap: wrap;
  align-items: flex-end;
  gap: 6px;
  margin-top: 8px;
}

.jp-twinkle-question {
  flex: 1 1 16em;
  width: auto;
  height: auto;
  min-height: 52px;
  padding: 6px 8px;
  resize: vertical;
}

.jp-twinkle-entry[data-entry='models'],
.jp-twinkle-entry[data-entry='system'] {
  width: 18em;
}

.jp-twinkle-faults {
  margin: 6px 0 0;
  padding: 0;
  list-style: none;
}

.jp-twinkle-fault {
  padding: 2px 10px;
  border-left: 3px solid var(--jp-twinkle-warn);
  overflow-wrap: anywhere;
}

.jp-twinkle-fault.jp-twinkle-mod-problem {
  border-left-color: var(--jp-twinkle-error);
}

.jp-twinkle-fault .jp-twinkle-button {
  min-width: 0;
  height: 22px;
}
`,""]),i.d(t,{},{A:p})},646(e,t,i){var n=i(601),r=i.n(n),o=i(314),p=i.n(o),a=i(757),l=i(724),s=i(1),d=i(405),w=i(938),k=p()(r());k.i(a.A),k.i(l.A),k.i(s.A),k.i(d.A),k.i(w.A),k.push([e.id,`
`,""]),i.d(t,{},{A:k})},724(e,t,i){var n=i(601),r=i.n(n),o=i(314),p=(i.n(o))()(r());p.push([e.id,`/* Panels of runs and sweeps. JupyterLab's variables first, then those of VS Code, then the page's own. */

.jp-twinkle-run,
.jp-twinkle-sweep,
.jp-twinkle-panel {
  --jp-twinkle-text: var(--jp-ui-font-color1, var(--vscode-editor-foreground, currentColor));
  --jp-twinkle-muted: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, gray));
  --jp-twinkle-background: var(--jp-layout-color1, var(--vscode-editor-background, Canvas));
  --jp-twinkle-raised: var(--jp-layout-color2, var(--vscode-editorWidget-background, rgb(128 128 128 / 12%)));
  --jp-twinkle-grid: var(--jp-border-color2, var(--vscode-editorWidget-border, rgb(128 128 128 / 25%)));
  --jp-twinkle-border: var(--jp-border-color2, var(--vscode-editorWidget-border, rgb(128 128 128 / 35%)));
  --jp-twinkle-train: var(--jp-brand-color1, var(--vscode-charts-blue, royalblue));
  --jp-twinkle-eval: var(--jp-warn-color1, var(--vscode-charts-orange, darkorange));
  --jp-twinkle-success: var(--jp-success-color1, var(--vscode-charts-green, seagreen));
  --jp-twinkle-warn: var(--jp-warn-color1, var(--vscode-charts-orange, darkorange));
  --jp-twinkle-error: var(--jp-error-color1, var(--vscode-errorForeground, crimson));
  /* Of words, which need more contrast than lines and icons. */
  --jp-twinkle-error-text: color-mix(in srgb, var(--jp-twinkle-error) 60%, var(--jp-twinkle-text));
  --jp-twinkle-font: var(--jp-ui-font-family, var(--vscode-font-family, system-ui, sans-serif));

  box-sizing: border-box;
  width: 100%;
  padding: 10px 14px 12px;
  border: var(--jp-border-width, 1px) solid var(--jp-twinkle-border);
  border-radius: 6px;
  background: var(--jp-twinkle-background);
  color: var(--jp-twinkle-text);
  font-family: var(--jp-twinkle-font);
  font-size: var(--jp-ui-font-size1, 13px);
  line-height: 1.4;
  font-variant-numeric: tabular-nums;
  container-type: inline-size;
}

.jp-twinkle-output {
  padding: 4px 8px 4px 0;
}

:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel) [hidden] {
  display: none !important;
}

.jp-twinkle-head {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 4px 12px;
  min-height: 28px;
}

.jp-twinkle-title {
  overflow: hidden;
  max-width: 40%;
  font-size: 1.15em;
  font-weight: 600;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.jp-twinkle-state {
  --jp-twinkle-state-color: var(--jp-twinkle-muted);

  display: inline-flex;
  align-items: center;
  gap: 5px;
  min-width: 6.5em;
  color: var(--jp-twinkle-text);
  font-weight: 600;
}

.jp-twinkle-state-icon {
  color: var(--jp-twinkle-state-color);
  width: 12px;
  height: 12px;
  flex: none;
}

:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-state='running'] .jp-twinkle-state {
  --jp-twinkle-state-color: var(--jp-twinkle-train);
}

:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-state='finished'] .jp-twinkle-state {
  --jp-twinkle-state-color: var(--jp-twinkle-success);
}

:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-state='paused'] .jp-twinkle-state,
:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-state='interrupted'] .jp-twinkle-state {
  --jp-twinkle-state-color: var(--jp-twinkle-warn);
}

:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-state='failed'] .jp-twinkle-state {
  --jp-twinkle-state-color: var(--jp-twinkle-error);
}

.jp-twinkle-connection {
  flex: 1 1 6em;
  overflow: hidden;
  min-width: 0;
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.jp-twinkle-connection:not(:empty)::before {
  display: inline-block;
  width: 7px;
  height: 7px;
  box-sizing: border-box;
  margin-right: 6px;
  border: 1.5px solid var(--jp-twinkle-muted);
  border-radius: 50%;
  content: '';
}

:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-connection='live'] .jp-twinkle-connection::before {
  border-color: var(--jp-twinkle-success);
  background: var(--jp-twinkle-success);
}

:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-connection='waiting'] .jp-twinkle-connection::before {
  border-color: var(--jp-twinkle-warn);
}

.jp-twinkle-controls {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  justify-content: flex-end;
  gap: 6px;
}

.jp-twinkle-command-error:not(:empty) {
  max-width: 28em;
  color: var(--jp-twinkle-error-text);
  font-size: 0.92em;
}

.jp-twinkle-button {
  min-width: 6.2em;
  height: 26px;
  padding: 0 10px;
  border: 1px solid var(--jp-twinkle-border);
  border-radius: 4px;
  background: transparent;
  color: inherit;
  cursor: pointer;
  font: inherit;
}

.jp-twinkle-button:hover:not(:disabled, [aria-disabled='true']) {
  background: var(--jp-twinkle-raised);
}

.jp-twinkle-button:focus-visible {
  outline: 2px solid var(--jp-twinkle-train);
  outline-offset: 1px;
}

.jp-twinkle-button:is(:disabled, [aria-disabled='true']) {
  cursor: default;
  opacity: 0.5;
}

.jp-twinkle-button:is([data-action='stop-confirm'], [data-action='stop-best']) {
  border-color: var(--jp-twinkle-error);
  color: var(--jp-twinkle-error-text);
  font-weight: 600;
}

.jp-twinkle-bar {
  overflow: hidden;
  height: 6px;
  margin-top: 8px;
  border-radius: 3px;
  background: var(--jp-twinkle-raised);
}

.jp-twinkle-bar-fill {
  height: 100%;
  border-radius: inherit;
  background: var(--jp-twinkle-train);
  transform: scaleX(0);
  transform-origin: left;
}

:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-state='finished'] .jp-twinkle-bar-fill {
  background: var(--jp-twinkle-success);
}

:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-state='paused'] .jp-twinkle-bar-fill,
:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-state='interrupted'] .jp-twinkle-bar-fill {
  background: var(--jp-twinkle-warn);
}

:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-state='failed'] .jp-twinkle-bar-fill {
  background: var(--jp-twinkle-error);
}

.jp-twinkle-bar.jp-twinkle-mod-unknown .jp-twinkle-bar-fill {
  width: 30%;
  animation: jp-twinkle-sweep 1.4s ease-in-out infinite;
}

:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-connection='saved'] .jp-twinkle-mod-unknown .jp-twinkle-bar-fill {
  display: none;
}

.jp-twinkle-caption {
  display: flex;
  justify-content: space-between;
  gap: 12px;
  min-height: 1.4em;
  margin-top: 4px;
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
}

.jp-twinkle-steps {
  white-space: nowrap;
}

.jp-twinkle-message {
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.jp-twinkle-reason {
  margin-top: 6px;
  padding: 6px 10px;
  border-left: 3px solid var(--jp-twinkle-warn);
  background: var(--jp-twinkle-raised);
  overflow-wrap: anywhere;
}

.jp-twinkle-notice {
  margin-top: 6px;
  padding: 6px 10px;
  border-left: 3px solid var(--jp-twinkle-warn);
  overflow-wrap: anywhere;
}

.jp-twinkle-details {
  margin: 2px 0 4px;
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
  font-variant-numeric: tabular-nums;
}

:is(.jp-twinkle-run, .jp-twinkle-sweep, .jp-twinkle-panel)[data-state='failed'] .jp-twinkle-reason {
  border-left-color: var(--jp-twinkle-error);
}

.jp-twinkle-run .jp-twinkle-figures {
  display: grid;
  grid-template-columns: repeat(5, minmax(0, 1fr));
  gap: 8px 16px;
  margin: 8px 0 4px;
  padding: 0;
}

.jp-twinkle-run .jp-twinkle-figure-name {
  float: none;
  width: auto;
  margin: 0;
  padding: 0;
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
  font-weight: normal;
  text-align: left;
  white-space: nowrap;
}

.jp-twinkle-run .jp-twinkle-figure-value {
  float: none;
  width: auto;
  margin: 0;
  padding: 0;
  font-size: 1.25em;
  font-weight: 500;
  white-space: nowrap;
}

.jp-twinkle-mod-train::before,
.jp-twinkle-mod-eval::before {
  display: inline-block;
  width: 12px;
  height: 3px;
  margin-right: 6px;
  border-radius: 2px;
  background: var(--jp-twinkle-train);
  content: '';
  vertical-align: middle;
}

.jp-twinkle-mod-eval::before {
  width: 8px;
  height: 8px;
  border-radius: 50%;
  background: var(--jp-twinkle-eval);
}

.jp-twinkle-plot {
  position: relative;
  height: 240px;
}

.jp-twinkle-plot-canvas {
  width: 100%;
  height: 100%;
}

.jp-twinkle-plot.jp-twinkle-mod-empty::after {
  position: absolute;
  display: flex;
  align-items: center;
  justify-content: center;
  border: 1px dashed var(--jp-twinkle-border);
  border-radius: 4px;
  color: var(--jp-twinkle-muted);
  content: attr(data-empty);
  inset: 8px 0;
}

.jp-twinkle-probes {
  margin-top: 6px;
  padding-top: 8px;
  border-top: 1px solid var(--jp-twinkle-border);
}

.jp-twinkle-probes-title {
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
}

.jp-twinkle-probe {
  display: grid;
  grid-template-columns: 5.5em minmax(0, 1fr);
  gap: 2px 10px;
  margin-top: 8px;
  overflow-wrap: anywhere;
}

.jp-twinkle-prompt {
  grid-column: 1 / -1;
  font-weight: 600;
}

.jp-twinkle-answer-step {
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
}

.jp-twinkle-before,
.jp-twinkle-answer {
  overflow: auto;
  max-height: 8.4em;
  white-space: pre-wrap;
}

.jp-twinkle-before {
  color: var(--jp-twinkle-muted);
}

.jp-twinkle-probe:not(.jp-twinkle-mod-compared) > :is(.jp-twinkle-before, .jp-twinkle-before-label) {
  display: none;
}

.jp-twinkle-answer {
  min-height: 1.4em;
  border-radius: 3px;
}

.jp-twinkle-mod-writing > .jp-twinkle-answer::after {
  content: '\\258d';
  color: var(--jp-twinkle-muted);
  animation: jp-twinkle-caret 1s steps(2, jump-none) infinite;
}

@keyframes jp-twinkle-caret {
  to {
    opacity: 0;
  }
}

@media (prefers-reduced-motion: reduce) {
  .jp-twinkle-mod-writing > .jp-twinkle-answer::after {
    animation: none;
  }
}

.jp-twinkle-origin {
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
}

.jp-twinkle-steer {
  margin: 4px 0;
}

.jp-twinkle-steer-title {
  width: max-content;
  color: var(--jp-twinkle-muted);
  cursor: pointer;
  font-size: 0.92em;
}

.jp-twinkle-steer-title:focus-visible,
.jp-twinkle-entry:focus-visible {
  outline: 2px solid var(--jp-twinkle-train);
  outline-offset: 1px;
}

.jp-twinkle-steer-row {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 6px 18px;
  margin-top: 6px;
}

.jp-twinkle-steer-field {
  display: flex;
  align-items: center;
  gap: 6px;
}

.jp-twinkle-steer-label {
  min-width: 6em;
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
}

.jp-twinkle-entry {
  box-sizing: border-box;
  width: 7em;
  height: 26px;
  padding: 0 8px;
  border: 1px solid var(--jp-twinkle-border);
  border-radius: 4px;
  background: transparent;
  color: inherit;
  font: inherit;
}

.jp-twinkle-entry[data-entry='adapter'] {
  width: 14em;
}

.jp-twinkle-entry::placeholder {
  color: var(--jp-twinkle-muted);
  opacity: 1;
}

.jp-twinkle-button:is([data-action='rate-half'], [data-action='rate-double']) {
  min-width: 3.4em;
}

.jp-twinkle-steer-said:not(:empty) {
  margin-top: 6px;
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
  overflow-wrap: anywhere;
}

.jp-twinkle-steer-said.jp-twinkle-mod-problem {
  color: var(--jp-twinkle-error-text);
}

.jp-twinkle-probes-head,
.jp-twinkle-scrub-row {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 4px 10px;
}

.jp-twinkle-probes-head {
  justify-content: space-between;
}

.jp-twinkle-scrub {
  width: 16em;
  max-width: 100%;
  accent-color: var(--jp-twinkle-train);
}

.jp-twinkle-scrub-step {
  min-width: 5.5em;
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
}

.jp-twinkle-changed {
  border-radius: 2px;
  background: color-mix(in srgb, var(--jp-twinkle-train) 16%, transparent);
  color: inherit;
}

.jp-twinkle-fresh {
  animation: jp-twinkle-flash 0.9s ease-out;
}

.jp-twinkle-ranking-frame {
  overflow-x: auto;
  margin-top: 4px;
}

:is(.jp-twinkle-sweep, .jp-twinkle-panel) .jp-twinkle-ranking {
  width: 100%;
  margin: 0;
  border: 0;
  border-collapse: collapse;
  font-size: inherit;
  table-layout: auto;
}

:is(.jp-twinkle-sweep, .jp-twinkle-panel) .jp-twinkle-ranking :is(th, td) {
  padding: 3px 14px 3px 0;
  border: 0;
  background: none;
  color: inherit;
  font-weight: normal;
  text-align: left;
  white-space: nowrap;
}

:is(.jp-twinkle-sweep, .jp-twinkle-panel) .jp-twinkle-ranking th {
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
}

:is(.jp-twinkle-sweep, .jp-twinkle-panel) .jp-twinkle-ranking td:last-child {
  height: 24px;
  padding-right: 0;
  text-align: right;
}

:is(.jp-twinkle-sweep, .jp-twinkle-panel) .jp-twinkle-ranking tbody tr {
  border-top: 1px solid var(--jp-twinkle-border);
  background: none;
}

:is(.jp-twinkle-sweep, .jp-twinkle-panel) .jp-twinkle-ranking tbody tr:hover {
  background: var(--jp-twinkle-raised);
}

:is(.jp-twinkle-sweep, .jp-twinkle-panel) .jp-twinkle-ranking tr[data-rank='1'] > td:nth-child(2) {
  font-weight: 600;
}

:is(.jp-twinkle-sweep, .jp-twinkle-panel) .jp-twinkle-ranking tr:is([data-state='stopped'], [data-state='failed']) > td {
  color: var(--jp-twinkle-muted);
}

.jp-twinkle-adapters .jp-twinkle-ranking tbody th {
  color: inherit;
  font-size: inherit;
  font-weight: 600;
}

.jp-twinkle-branch {
  color: var(--jp-twinkle-muted);
  font-weight: normal;
}

.jp-twinkle-export {
  margin-top: 8px;
  padding: 8px 10px;
  border-left: 3px solid var(--jp-twinkle-train);
  background: var(--jp-twinkle-raised);
}

.jp-twinkle-export :is(.jp-twinkle-entry, .jp-twinkle-button) {
  border-color: var(--jp-twinkle-muted);
  background: var(--jp-twinkle-background);
  color: var(--jp-twinkle-text);
}

.jp-twinkle-export .jp-twinkle-entry {
  width: auto;
  max-width: 100%;
}

.jp-twinkle-export .jp-twinkle-steer-field {
  flex: 0 1 auto;
  min-width: 0;
}

.jp-twinkle-export .jp-twinkle-steer-label {
  min-width: 0;
}

.jp-twinkle-export .jp-twinkle-entry[data-entry='folder'] {
  width: 30em;
}

.jp-twinkle-sort {
  padding: 0;
  border: 0;
  background: none;
  color: inherit;
  cursor: pointer;
  font: inherit;
}

.jp-twinkle-sort:hover {
  color: var(--jp-twinkle-text);
}

.jp-twinkle-sort:focus-visible {
  outline: 2px solid var(--jp-twinkle-train);
  outline-offset: 2px;
}

/* Room for the arrow at all times: no column moves when another one is sorted by. */
.jp-twinkle-sort-arrow {
  display: inline-block;
  width: 1.2em;
  font-size: 0.8em;
  text-align: center;
}

.jp-twinkle-ranking .jp-twinkle-button {
  min-width: 0;
  height: 22px;
}

.jp-twinkle-row-actions .jp-twinkle-button[data-action='pause'],
.jp-twinkle-row-actions .jp-twinkle-button[data-action='resume'] {
  min-width: 5.5em;
}

@keyframes jp-twinkle-flash {
  from {
    background: color-mix(in srgb, var(--jp-twinkle-train) 25%, transparent);
  }
}

@keyframes jp-twinkle-sweep {
  from {
    transform: translateX(-100%);
  }

  to {
    transform: translateX(333%);
  }
}

@container (max-width: 520px) {
  .jp-twinkle-run .jp-twinkle-figures {
    grid-template-columns: repeat(3, minmax(0, 1fr));
  }
}

@media (prefers-reduced-motion: reduce) {
  .jp-twinkle-bar-fill,
  .jp-twinkle-fresh {
    animation: none !important;
    transition: none;
  }

  .jp-twinkle-bar.jp-twinkle-mod-unknown .jp-twinkle-bar-fill {
    width: 100%;
    opacity: 0.4;
    transform: none;
  }
}
`,""]),i.d(t,{},{A:p})},1(e,t,i){var n=i(601),r=i.n(n),o=i(314),p=(i.n(o))()(r());p.push([e.id,`/* The plot: its tools above, what is said of a step beside the pointer. */

.jp-twinkle-tools {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  justify-content: flex-end;
  gap: 4px 16px;
  min-height: 28px;
  margin-top: 4px;
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
}

.jp-twinkle-tools select.jp-twinkle-entry {
  width: auto;
  margin-right: auto;
  background: var(--jp-twinkle-background);
  color: var(--jp-twinkle-text);
}

.jp-twinkle-tool {
  display: inline-flex;
  align-items: center;
  gap: 6px;
  cursor: pointer;
}

.jp-twinkle-check {
  width: 15px;
  height: 15px;
  margin: 0;
  accent-color: var(--jp-twinkle-train);
}

.jp-twinkle-smoothing {
  width: 7em;
  accent-color: var(--jp-twinkle-train);
}

.jp-twinkle-plot-box {
  position: relative;
}

.jp-twinkle-plot:focus-visible {
  outline: 2px solid var(--jp-twinkle-train);
  outline-offset: -1px;
}

.jp-twinkle-tip {
  position: absolute;
  z-index: 2;
  top: 6px;
  left: 0;
  overflow: hidden;
  max-width: min(24em, 60%);
  max-height: 200px;
  padding: 6px 10px;
  border: 1px solid var(--jp-twinkle-border);
  border-radius: 4px;
  background: var(--jp-twinkle-background);
  box-shadow: 0 2px 8px rgb(0 0 0 / 18%);
  color: var(--jp-twinkle-text);
  font-size: 0.92em;
  overflow-wrap: anywhere;
  pointer-events: none;
}

.jp-twinkle-tip-line b {
  font-weight: 600;
}

.jp-twinkle-memory {
  display: flex;
  align-items: center;
  gap: 8px;
}

.jp-twinkle-memory-bar {
  overflow: hidden;
  width: 8em;
  height: 6px;
  border-radius: 3px;
  background: var(--jp-twinkle-raised);
}

.jp-twinkle-swatch {
  display: inline-block;
  width: 18px;
  height: 3px;
  margin-right: 8px;
  border-radius: 2px;
  vertical-align: middle;
}

.jp-twinkle-memory.jp-twinkle-mod-much .jp-twinkle-bar-fill {
  background: var(--jp-twinkle-warn);
}
`,""]),i.d(t,{},{A:p})},938(e,t,i){var n=i(601),r=i.n(n),o=i(314),p=(i.n(o))()(r());p.push([e.id,`/* The sidebar, in the manner of JupyterLab's own; only its variables, so that every theme fits. */

.jp-twinkle-side {
  --jp-twinkle-side-line: color-mix(in srgb, var(--jp-border-color2) 70%, transparent);

  min-width: 200px;
  color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size1);
  font-variant-numeric: tabular-nums;
}

:is(.jp-twinkle-side, .jp-twinkle-form) [hidden] {
  display: none !important;
}

.jp-twinkle-side-header {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 6px;
  box-sizing: border-box;
  width: 100%;
  padding: 6px 4px 6px 10px;
  font-size: var(--jp-ui-font-size1);
  font-weight: 400;
  letter-spacing: normal;
  text-transform: none;
}

.jp-twinkle-side-health {
  flex: 1 1 8em;
  min-width: 0;
  line-height: 1.35;
}

.jp-twinkle-side-health::before {
  display: inline-block;
  width: 8px;
  height: 8px;
  box-sizing: border-box;
  margin-right: 6px;
  border: 1.5px solid var(--jp-ui-font-color2);
  border-radius: 50%;
  content: '';
}

.jp-twinkle-side-header[data-phase='ready'] .jp-twinkle-side-health::before {
  border-color: var(--jp-success-color1);
  background: var(--jp-success-color1);
}

.jp-twinkle-side-header[data-phase='starting'] .jp-twinkle-side-health::before {
  border-color: var(--jp-warn-color1);
}

.jp-twinkle-side-header[data-phase='failed'] .jp-twinkle-side-health::before {
  border-color: var(--jp-error-color1);
  background: var(--jp-error-color1);
}

.jp-twinkle-side-notices:not(:empty) {
  flex: 1 0 100%;
  box-sizing: border-box;
  padding: 4px 8px;
  border-left: 3px solid var(--jp-warn-color1);
  background: var(--jp-layout-color2);
  line-height: 1.4;
  overflow-wrap: anywhere;
}

.jp-Button.jp-mod-styled.jp-twinkle-side-button {
  min-height: 0;
  height: 24px;
  padding: 0 10px;
  font-size: var(--jp-ui-font-size1);
  letter-spacing: normal;
  line-height: 24px;
}

.jp-Button.jp-mod-styled.jp-mod-reject.jp-twinkle-side-button {
  border: var(--jp-border-width) solid var(--jp-border-color1);
  background: transparent;
  color: var(--jp-ui-font-color1);
}

.jp-Button.jp-mod-styled.jp-mod-reject.jp-twinkle-side-button:hover {
  background: var(--jp-layout-color2);
}

.jp-twinkle-side-content {
  overflow-y: auto;
  background: var(--jp-layout-color1);
}

.jp-twinkle-side-title {
  position: sticky;
  z-index: 1;
  top: 0;
  box-sizing: border-box;
  height: 30px;
  padding: 0 12px;
  border-bottom: var(--jp-border-width) solid var(--jp-border-color2);
  background: var(--jp-layout-color2);
  cursor: pointer;
  font-size: var(--jp-ui-font-size0);
  font-weight: 600;
  letter-spacing: 0.04em;
  line-height: 30px;
  text-transform: uppercase;
  user-select: none;
}

.jp-twinkle-side-title:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: -2px;
}

.jp-twinkle-side-section:not(:first-child) > .jp-twinkle-side-title {
  border-top: var(--jp-border-width) solid var(--jp-border-color2);
  margin-top: -1px;
}

/* What was true before the service went away. */
.jp-twinkle-side-section.jp-twinkle-mod-away .jp-twinkle-side-facts,
.jp-twinkle-side-section.jp-twinkle-mod-away .jp-twinkle-side-bar {
  opacity: 0.75;
}

.jp-twinkle-side-section.jp-twinkle-mod-away .jp-twinkle-side-icon {
  opacity: 0.4;
  pointer-events: none;
}

.jp-twinkle-side-empty {
  display: flex;
  flex-direction: column;
  align-items: flex-start;
  gap: 8px;
  padding: 10px 12px 14px;
}

.jp-twinkle-side-words {
  margin: 0;
  padding: 0;
  color: var(--jp-ui-font-color1);
  line-height: 1.45;
}

.jp-twinkle-side-body > .jp-twinkle-side-words:not(:empty) {
  padding: 6px 12px 8px;
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
}

.jp-twinkle-mod-muted .jp-twinkle-side-words {
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
}

.jp-twinkle-side-foot {
  display: flex;
  flex-wrap: wrap;
  gap: 6px;
  padding: 8px 12px 12px;
}

.jp-twinkle-side-list {
  margin: 0;
  padding: 0;
  list-style: none;
}

.jp-twinkle-side-item {
  padding: 5px 6px 7px 12px;
  border-bottom: var(--jp-border-width) solid var(--jp-twinkle-side-line);
}

.jp-twinkle-side-item:hover {
  background: var(--jp-layout-color2);
}

.jp-twinkle-side-head {
  display: flex;
  align-items: center;
  gap: 1px;
  min-height: 24px;
}

.jp-twinkle-side-open {
  display: flex;
  flex: 1 1 auto;
  align-items: center;
  gap: 6px;
  overflow: hidden;
  min-width: 0;
  height: 24px;
  padding: 0 4px 0 0;
  border: 0;
  border-radius: 2px;
  background: transparent;
  color: inherit;
  cursor: pointer;
  font: inherit;
  text-align: left;
}

.jp-twinkle-side-open:hover .jp-twinkle-side-name {
  text-decoration: underline;
}

.jp-twinkle-side-name {
  overflow: hidden;
  flex: 0 1 auto;
  min-width: 2em;
  font-weight: 600;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.jp-twinkle-side-head > .jp-twinkle-side-name,
.jp-twinkle-side-limit {
  flex: 1 1 auto;
}

.jp-twinkle-side-state {
  flex: none;
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
  font-weight: 400;
  white-space: nowrap;
}

.jp-twinkle-side-head > .jp-twinkle-side-state {
  padding-right: 6px;
}

.jp-twinkle-side .jp-twinkle-state-icon {
  width: 12px;
  height: 12px;
  flex: none;
  color: var(--jp-ui-font-color2);
}

.jp-twinkle-side-item[data-state='running'] .jp-twinkle-state-icon {
  color: var(--jp-brand-color1);
}

.jp-twinkle-side-item[data-state='finished'] .jp-twinkle-state-icon {
  color: var(--jp-success-color1);
}

.jp-twinkle-side-item:is([data-state='paused'], [data-state='interrupted']) .jp-twinkle-state-icon {
  color: var(--jp-warn-color1);
}

.jp-twinkle-side-item[data-state='failed'] .jp-twinkle-state-icon {
  color: var(--jp-error-color1);
}

.jp-twinkle-side-icon {
  display: inline-flex;
  flex: none;
  align-items: center;
  justify-content: center;
  width: 24px;
  height: 24px;
  padding: 0;
  border: 0;
  border-radius: 2px;
  background: transparent;
  color: var(--jp-ui-font-color2);
  cursor: pointer;
}

.jp-twinkle-side-icon svg {
  width: 13px;
  height: 13px;
}

.jp-twinkle-side-icon:hover:enabled {
  background: var(--jp-layout-color3);
  color: var(--jp-ui-font-color0);
}

.jp-twinkle-side-icon:disabled {
  cursor: default;
  opacity: 0.4;
}

:is(.jp-twinkle-side-icon, .jp-twinkle-side-open, .jp-twinkle-side-select):focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: -2px;
}

.jp-twinkle-side-facts {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 2px 8px;
  padding-right: 6px;
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
  line-height: 1.4;
  overflow-wrap: anywhere;
}

.jp-twinkle-side-spark {
  flex: none;
  width: 72px;
  height: 22px;
  overflow: visible;
}

.jp-twinkle-side-spark path {
  fill: none;
  stroke: var(--jp-ui-font-color2);
  stroke-linejoin: round;
  stroke-width: 1.5;
}

.jp-twinkle-side-item[data-state='running'] .jp-twinkle-side-spark path {
  stroke: var(--jp-brand-color1);
}

.jp-twinkle-side-spark.jp-twinkle-mod-none {
  display: none;
}

.jp-twinkle-side-progress {
  flex: 1 1 8em;
  min-width: 0;
}

.jp-twinkle-side-bar {
  overflow: hidden;
  height: 3px;
  margin: 5px 6px 0 0;
  border-radius: 2px;
  background: var(--jp-layout-color3);
}

.jp-twinkle-side-fill {
  height: 100%;
  background: var(--jp-brand-color1);
  transform: scaleX(0);
  transform-origin: left;
  transition: transform 0.3s linear;
}

.jp-twinkle-side-item:is([data-state='paused'], [data-state='interrupted'], .jp-twinkle-mod-full) .jp-twinkle-side-fill {
  background: var(--jp-warn-color1);
}

.jp-twinkle-side-reason:not(:empty) {
  padding: 3px 6px 0 0;
  color: color-mix(in srgb, var(--jp-error-color1) 60%, var(--jp-ui-font-color1));
  font-size: var(--jp-ui-font-size0);
  line-height: 1.4;
  overflow-wrap: anywhere;
}

select.jp-mod-styled.jp-twinkle-side-select {
  display: block;
  box-sizing: border-box;
  width: calc(100% - 24px);
  min-width: 0;
  height: 26px;
  margin: 8px 12px 4px;
  padding: 0 4px;
  border: var(--jp-border-width) solid var(--jp-border-color1);
  border-radius: 2px;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size1);
  text-overflow: ellipsis;
}

.jp-twinkle-tab {
  overflow: auto;
  box-sizing: border-box;
  padding: 10px 12px;
  background: var(--jp-layout-color0);
}

.jp-twinkle-tab > * {
  max-width: 1200px;
  margin: 0 auto;
}

.jp-twinkle-form {
  min-width: 320px;
}

.jp-twinkle-form label {
  display: block;
  margin-top: 10px;
}

.jp-twinkle-form :is(input, select) {
  display: block;
  box-sizing: border-box;
  width: 100%;
  margin-top: 4px;
}

.jp-twinkle-form-file {
  margin: 0;
  color: var(--jp-ui-font-color2);
  overflow-wrap: anywhere;
}

.jp-twinkle-form-problem:not(:empty) {
  max-width: 420px;
  margin: 0 0 8px;
  color: color-mix(in srgb, var(--jp-error-color1) 60%, var(--jp-ui-font-color1));
}

@media (prefers-reduced-motion: reduce) {
  .jp-twinkle-side-fill {
    transition: none;
  }
}
`,""]),i.d(t,{},{A:p})},314(e){e.exports=function(e){var t=[];return t.toString=function(){return this.map(function(t){var i="",n=void 0!==t[5];return t[4]&&(i+="@supports (".concat(t[4],") {")),t[2]&&(i+="@media ".concat(t[2]," {")),n&&(i+="@layer".concat(t[5].length>0?" ".concat(t[5]):""," {")),i+=e(t),n&&(i+="}"),t[2]&&(i+="}"),t[4]&&(i+="}"),i}).join("")},t.i=function(e,i,n,r,o){"string"==typeof e&&(e=[[null,e,void 0]]);var p={};if(n)for(var a=0;a<this.length;a++){var l=this[a][0];null!=l&&(p[l]=!0)}for(var s=0;s<e.length;s++){var d=[].concat(e[s]);n&&p[d[0]]||(void 0!==o&&(void 0===d[5]||(d[1]="@layer".concat(d[5].length>0?" ".concat(d[5]):""," {").concat(d[1],"}")),d[5]=o),i&&(d[2]&&(d[1]="@media ".concat(d[2]," {").concat(d[1],"}")),d[2]=i),r&&(d[4]?(d[1]="@supports (".concat(d[4],") {").concat(d[1],"}"),d[4]=r):d[4]="".concat(r)),t.push(d))}},t}},601(e){e.exports=function(e){return e[1]}},665(e,t,i){i.r(t);var n=i(72),r=i.n(n),o=i(825),p=i.n(o),a=i(659),l=i.n(a),s=i(56),d=i.n(s),w=i(540),k=i.n(w),c=i(113),j=i.n(c),u=i(646),f={};f.styleTagTransform=j(),f.setAttributes=d(),f.insert=l().bind(null,"head"),f.domAPI=p(),f.insertStyleElement=k(),r()(u.A,f);let x=u.A&&u.A.locals?u.A.locals:void 0;i.d(t,{},{default:x})},72(e){var t=[];function i(e){for(var i=-1,n=0;n<t.length;n++)if(t[n].identifier===e){i=n;break}return i}function n(e,n){for(var r={},o=[],p=0;p<e.length;p++){var a=e[p],l=n.base?a[0]+n.base:a[0],s=r[l]||0,d="".concat(l," ").concat(s);r[l]=s+1;var w=i(d),k={css:a[1],media:a[2],sourceMap:a[3],supports:a[4],layer:a[5]};if(-1!==w)t[w].references++,t[w].updater(k);else{var c=function(e,t){var i=t.domAPI(t);return i.update(e),function(t){t?(t.css!==e.css||t.media!==e.media||t.sourceMap!==e.sourceMap||t.supports!==e.supports||t.layer!==e.layer)&&i.update(e=t):i.remove()}}(k,n);n.byIndex=p,t.splice(p,0,{identifier:d,updater:c,references:1})}o.push(d)}return o}e.exports=function(e,r){var o=n(e=e||[],r=r||{});return function(e){e=e||[];for(var p=0;p<o.length;p++){var a=i(o[p]);t[a].references--}for(var l=n(e,r),s=0;s<o.length;s++){var d=i(o[s]);0===t[d].references&&(t[d].updater(),t.splice(d,1))}o=l}}},659(e){var t={};e.exports=function(e,i){var n=function(e){if(void 0===t[e]){var i=document.querySelector(e);if(window.HTMLIFrameElement&&i instanceof window.HTMLIFrameElement)try{i=i.contentDocument.head}catch(e){i=null}t[e]=i}return t[e]}(e);if(!n)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");n.appendChild(i)}},540(e){e.exports=function(e){var t=document.createElement("style");return e.setAttributes(t,e.attributes),e.insert(t,e.options),t}},56(e,t,i){e.exports=function(e){var t=i.nc;t&&e.setAttribute("nonce",t)}},825(e){e.exports=function(e){if("u"<typeof document)return{update:function(){},remove:function(){}};var t=e.insertStyleElement(e);return{update:function(i){var n,r,o;n="",i.supports&&(n+="@supports (".concat(i.supports,") {")),i.media&&(n+="@media ".concat(i.media," {")),(r=void 0!==i.layer)&&(n+="@layer".concat(i.layer.length>0?" ".concat(i.layer):""," {")),n+=i.css,r&&(n+="}"),i.media&&(n+="}"),i.supports&&(n+="}"),(o=i.sourceMap)&&"u">typeof btoa&&(n+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(o))))," */")),e.styleTagTransform(n,t,e.options)},remove:function(){var e;null===(e=t).parentNode||e.parentNode.removeChild(e)}}}},113(e){e.exports=function(e,t){if(t.styleSheet)t.styleSheet.cssText=e;else{for(;t.firstChild;)t.removeChild(t.firstChild);t.appendChild(document.createTextNode(e))}}}}]);
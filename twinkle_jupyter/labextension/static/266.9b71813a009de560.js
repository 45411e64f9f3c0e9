"use strict";(self.rspackChunktwinkle_jupyter=self.rspackChunktwinkle_jupyter||[]).push([[266],{646(e,t,n){var r=n(601),i=n.n(r),a=n(314),o=n.n(a),p=n(724),l=o()(i());l.i(p.A),l.push([e.id,`
`,""]),n.d(t,{},{A:l})},724(e,t,n){var r=n(601),i=n.n(r),a=n(314),o=(n.n(a))()(i());o.push([e.id,`/* Panels of runs and sweeps. JupyterLab's variables first, then those of VS Code, then the page's own. */

.jp-twinkle-run,
.jp-twinkle-sweep {
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

:is(.jp-twinkle-run, .jp-twinkle-sweep) [hidden] {
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
  color: var(--jp-twinkle-state-color);
  font-weight: 600;
}

.jp-twinkle-state-icon {
  width: 12px;
  height: 12px;
  flex: none;
}

:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-state='running'] .jp-twinkle-state {
  --jp-twinkle-state-color: var(--jp-twinkle-train);
}

:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-state='finished'] .jp-twinkle-state {
  --jp-twinkle-state-color: var(--jp-twinkle-success);
}

:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-state='paused'] .jp-twinkle-state,
:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-state='interrupted'] .jp-twinkle-state {
  --jp-twinkle-state-color: var(--jp-twinkle-warn);
}

:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-state='failed'] .jp-twinkle-state {
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

:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-connection='live'] .jp-twinkle-connection::before {
  border-color: var(--jp-twinkle-success);
  background: var(--jp-twinkle-success);
}

:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-connection='waiting'] .jp-twinkle-connection::before {
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
  color: var(--jp-twinkle-error);
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

.jp-twinkle-button:hover:enabled {
  background: var(--jp-twinkle-raised);
}

.jp-twinkle-button:focus-visible {
  outline: 2px solid var(--jp-twinkle-train);
  outline-offset: 1px;
}

.jp-twinkle-button:disabled {
  cursor: default;
  opacity: 0.5;
}

.jp-twinkle-button:is([data-action='stop-confirm'], [data-action='stop-best']) {
  border-color: var(--jp-twinkle-error);
  color: var(--jp-twinkle-error);
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
  transition: transform 0.15s linear;
}

:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-state='finished'] .jp-twinkle-bar-fill {
  background: var(--jp-twinkle-success);
}

:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-state='paused'] .jp-twinkle-bar-fill,
:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-state='interrupted'] .jp-twinkle-bar-fill {
  background: var(--jp-twinkle-warn);
}

:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-state='failed'] .jp-twinkle-bar-fill {
  background: var(--jp-twinkle-error);
}

.jp-twinkle-bar.jp-twinkle-mod-unknown .jp-twinkle-bar-fill {
  width: 30%;
  animation: jp-twinkle-sweep 1.4s ease-in-out infinite;
  transition: none;
}

:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-connection='saved'] .jp-twinkle-mod-unknown .jp-twinkle-bar-fill {
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

:is(.jp-twinkle-run, .jp-twinkle-sweep)[data-state='failed'] .jp-twinkle-reason {
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
  content: 'The loss appears with the first step';
  inset: 8px 0;
}

.jp-twinkle-plot .modebar-btn path {
  transition: none;
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
  opacity: 0.8;
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
  color: var(--jp-twinkle-error);
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

.jp-twinkle-curves {
  height: 260px;
}

.jp-twinkle-curves.jp-twinkle-mod-empty::after {
  content: attr(data-empty);
}

.jp-twinkle-curves g[data-run] {
  transition: opacity 0.12s linear;
}

.jp-twinkle-curves .jp-twinkle-mod-faint {
  opacity: 0.12;
}

.jp-twinkle-ranking-frame {
  overflow-x: auto;
  margin-top: 4px;
}

.jp-twinkle-sweep .jp-twinkle-ranking {
  width: 100%;
  margin: 0;
  border: 0;
  border-collapse: collapse;
  font-size: inherit;
  table-layout: auto;
}

.jp-twinkle-sweep .jp-twinkle-ranking :is(th, td) {
  padding: 3px 14px 3px 0;
  border: 0;
  background: none;
  color: inherit;
  font-weight: normal;
  text-align: left;
  white-space: nowrap;
}

.jp-twinkle-sweep .jp-twinkle-ranking th {
  color: var(--jp-twinkle-muted);
  font-size: 0.92em;
}

.jp-twinkle-sweep .jp-twinkle-ranking td:last-child {
  height: 24px;
  padding-right: 0;
  text-align: right;
}

.jp-twinkle-sweep .jp-twinkle-ranking tbody tr {
  border-top: 1px solid var(--jp-twinkle-border);
  background: none;
}

.jp-twinkle-sweep .jp-twinkle-ranking tbody tr:hover {
  background: var(--jp-twinkle-raised);
}

.jp-twinkle-sweep .jp-twinkle-ranking tr[data-rank='1'] > td:nth-child(2) {
  font-weight: 600;
}

.jp-twinkle-sweep .jp-twinkle-ranking tr:is([data-state='stopped'], [data-state='failed']) > td {
  color: var(--jp-twinkle-muted);
}

.jp-twinkle-curve-mark {
  margin-right: 6px;
}

.jp-twinkle-ranking .jp-twinkle-button {
  min-width: 0;
  height: 22px;
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
`,""]),n.d(t,{},{A:o})},314(e){e.exports=function(e){var t=[];return t.toString=function(){return this.map(function(t){var n="",r=void 0!==t[5];return t[4]&&(n+="@supports (".concat(t[4],") {")),t[2]&&(n+="@media ".concat(t[2]," {")),r&&(n+="@layer".concat(t[5].length>0?" ".concat(t[5]):""," {")),n+=e(t),r&&(n+="}"),t[2]&&(n+="}"),t[4]&&(n+="}"),n}).join("")},t.i=function(e,n,r,i,a){"string"==typeof e&&(e=[[null,e,void 0]]);var o={};if(r)for(var p=0;p<this.length;p++){var l=this[p][0];null!=l&&(o[l]=!0)}for(var s=0;s<e.length;s++){var w=[].concat(e[s]);r&&o[w[0]]||(void 0!==a&&(void 0===w[5]||(w[1]="@layer".concat(w[5].length>0?" ".concat(w[5]):""," {").concat(w[1],"}")),w[5]=a),n&&(w[2]&&(w[1]="@media ".concat(w[2]," {").concat(w[1],"}")),w[2]=n),i&&(w[4]?(w[1]="@supports (".concat(w[4],") {").concat(w[1],"}"),w[4]=i):w[4]="".concat(i)),t.push(w))}},t}},601(e){e.exports=function(e){return e[1]}},665(e,t,n){n.r(t);var r=n(72),i=n.n(r),a=n(825),o=n.n(a),p=n(659),l=n.n(p),s=n(56),w=n.n(s),d=n(540),c=n.n(d),k=n(113),j=n.n(k),u=n(646),f={};f.styleTagTransform=j(),f.setAttributes=w(),f.insert=l().bind(null,"head"),f.domAPI=o(),f.insertStyleElement=c(),i()(u.A,f);let m=u.A&&u.A.locals?u.A.locals:void 0;n.d(t,{},{default:m})},72(e){var t=[];function n(e){for(var n=-1,r=0;r<t.length;r++)if(t[r].identifier===e){n=r;break}return n}function r(e,r){for(var i={},a=[],o=0;o<e.length;o++){var p=e[o],l=r.base?p[0]+r.base:p[0],s=i[l]||0,w="".concat(l," ").concat(s);i[l]=s+1;var d=n(w),c={css:p[1],media:p[2],sourceMap:p[3],supports:p[4],layer:p[5]};if(-1!==d)t[d].references++,t[d].updater(c);else{var k=function(e,t){var n=t.domAPI(t);return n.update(e),function(t){t?(t.css!==e.css||t.media!==e.media||t.sourceMap!==e.sourceMap||t.supports!==e.supports||t.layer!==e.layer)&&n.update(e=t):n.remove()}}(c,r);r.byIndex=o,t.splice(o,0,{identifier:w,updater:k,references:1})}a.push(w)}return a}e.exports=function(e,i){var a=r(e=e||[],i=i||{});return function(e){e=e||[];for(var o=0;o<a.length;o++){var p=n(a[o]);t[p].references--}for(var l=r(e,i),s=0;s<a.length;s++){var w=n(a[s]);0===t[w].references&&(t[w].updater(),t.splice(w,1))}a=l}}},659(e){var t={};e.exports=function(e,n){var r=function(e){if(void 0===t[e]){var n=document.querySelector(e);if(window.HTMLIFrameElement&&n instanceof window.HTMLIFrameElement)try{n=n.contentDocument.head}catch(e){n=null}t[e]=n}return t[e]}(e);if(!r)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");r.appendChild(n)}},540(e){e.exports=function(e){var t=document.createElement("style");return e.setAttributes(t,e.attributes),e.insert(t,e.options),t}},56(e,t,n){e.exports=function(e){var t=n.nc;t&&e.setAttribute("nonce",t)}},825(e){e.exports=function(e){if("u"<typeof document)return{update:function(){},remove:function(){}};var t=e.insertStyleElement(e);return{update:function(n){var r,i,a;r="",n.supports&&(r+="@supports (".concat(n.supports,") {")),n.media&&(r+="@media ".concat(n.media," {")),(i=void 0!==n.layer)&&(r+="@layer".concat(n.layer.length>0?" ".concat(n.layer):""," {")),r+=n.css,i&&(r+="}"),n.media&&(r+="}"),n.supports&&(r+="}"),(a=n.sourceMap)&&"u">typeof btoa&&(r+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(a))))," */")),e.styleTagTransform(r,t,e.options)},remove:function(){var e;null===(e=t).parentNode||e.parentNode.removeChild(e)}}}},113(e){e.exports=function(e,t){if(t.styleSheet)t.styleSheet.cssText=e;else{for(;t.firstChild;)t.removeChild(t.firstChild);t.appendChild(document.createTextNode(e))}}}}]);
"use strict";(self.rspackChunktwinkle_jupyter=self.rspackChunktwinkle_jupyter||[]).push([[942],{797(e,t,n){n.r(t),n.d(t,{default:()=>eb}),n(665);var i=n(2),s=n(837);let r={queued:"Queued",running:"Running",paused:"Paused",interrupted:"Interrupted",finished:"Finished",stopped:"Stopped",failed:"Failed"};function o(e){return null==e?"–":0!==e&&.001>Math.abs(e)?e.toExponential(1):e.toFixed(3)}function a(e){return null===e?"–":0===e||e>=.01?String(Number(e.toPrecision(3))):String(Number(e.toExponential(2).split("e")[0]))+"e"+String(Number(e.toExponential(2).split("e")[1]))}function l(e){return null===e?"–":e<10?e.toFixed(1):p(Math.round(e))}function p(e){return String(e).replace(/\B(?=(\d{3})+$)/g," ")}function d(e,t){return t>0?`step ${p(e)} of ${p(t)}`:`step ${p(e)}`}function h(e,t){return{runId:e,adapter:t,state:"queued",reason:"",step:0,totalSteps:0,message:"",fraction:null,learningRate:null,secondsPerStep:null,tokensPerSecond:null,points:[],evalPoints:[],probes:[],wanted:null,lastEventId:0,startedAt:"",endedAt:"",timings:[]}}function u(e,t,n){return{...h(e,t),state:n.state,reason:n.reason,step:n.step,totalSteps:n.total_steps,message:n.message,learningRate:n.learning_rate,secondsPerStep:n.seconds_per_step,tokensPerSecond:n.tokens_per_second,points:n.points,evalPoints:n.eval_points,probes:n.probes.map(e=>({index:e.index,prompt:e.prompt,newest:{step:e.step,answer:e.answer},before:e.before??null})),lastEventId:n.last_event_id}}function c(e){let t={index:e.index,prompt:e.prompt,...e.newest};return null===e.before?t:{...t,before:e.before}}function m(e){return"finished"===e||"stopped"===e||"failed"===e}function w(e,t){if(e.length<=t)return e;let n=(e.length-1)/(t-1);return Array.from({length:t},(t,i)=>e[Math.round(i*n)]).filter(e=>void 0!==e)}function g(e,t){let n=e.length;for(;n>0&&(e[n-1]?.[0]??0)>=t[0];)n-=1;let i=e[n]?.[0]===t[0];e.splice(n,+!!i,t)}function f(e){let t=[...e].sort((e,t)=>e-t),n=Math.floor(t.length/2),i=t[n]??0;return t.length%2==1?i:(i+(t[n-1]??0))/2}function v(e){let t=e.points.length<50?[]:function(e){let t=Math.ceil(.025*e.length),n=[0];for(let[,t]of e)n.push((n.at(-1)??0)+t);return e.map(([i],s)=>{let r=Math.min(t,s,e.length-1-s);return[i,((n[s+r+1]??0)-(n[s-r]??0))/(2*r+1)]})}(e.points);return{points:w(e.points,2e3),smoothed:w(t,2e3),evalPoints:w(e.evalPoints,2e3)}}function k(e){let t=e.points.at(-1)?.[0]??0;return e.totalSteps>0&&e.totalSteps<=Math.max(100,2*t)?Math.max(t,e.totalSteps):Math.max(10,t)}function b(e){let t=e.points.at(-1);if(void 0===t)return"Loss over steps, no point yet";let n=`Loss over steps; newest ${t[1].toFixed(3)} at step ${t[0]}`,i=e.evalPoints.at(-1);return void 0===i?n:`${n}; on held-out rows ${i[1].toFixed(3)} at step ${i[0]}`}function j(e,t,n){let i=(t-e)/n,s=10**Math.floor(Math.log10(i)),r=([1,2,5,10].find(e=>e*s>=i)??10)*s,o=Math.ceil(e/r);return Array.from({length:Math.floor(t/r+1e-9)-o+1},(e,t)=>Number(((o+t)*r).toPrecision(12)))}function x(e,t,n,i,s){if(e.length<2)return"";let r=e.map(([e,n])=>`${$(t.x(e))} ${$(t.y(n))}`);return`<path d="M${r.join("L")}" fill="none" stroke="${n}" stroke-width="${i}" stroke-linejoin="round" opacity="${s}"/>`}function y([e,t],n,i){return`<circle cx="${$(n.x(e))}" cy="${$(n.y(t))}" r="3.5" fill="${i}"/>`}function $(e){return Math.round(10*e)/10}let S={width:720,height:240},M={train:"#3f83d6",eval:"#d9822b",text:"currentColor",muted:"currentColor",grid:"rgba(128,128,128,0.25)",background:"transparent"},P='style="text-align:left;padding:2px 16px 2px 0;vertical-align:top"';function _(e){let t=`${r[e.state].toLowerCase()}, ${d(e.step,e.totalSteps)}`;return""===e.reason?t:`${t}: ${e.reason}`}function C(e,t){let n=Array.from(e);return n.length<=t?e:`${n.slice(0,t).join("")}…`}let T={"&":"&amp;","<":"&lt;",">":"&gt;",'"':"&quot;","'":"&#39;"};function A(e){return e.replace(/[&<>"']/g,e=>T[e]??e)}let I="application/vnd.twinkle.run+json",E=["queued","running","paused","interrupted","finished","stopped","failed"];function z(e){return"object"==typeof e&&null!==e&&!Array.isArray(e)}function R(e){return"string"==typeof e?e:""}function L(e){return"number"==typeof e&&Number.isFinite(e)?e:null}function F(e){return Array.isArray(e)?e:[]}function H(e){return E.some(t=>t===e)}function N(e){let t=F(e),n=L(t[0]),i=L(t[1]);return null===n||null===i?null:[n,i]}function D(e){return F(e).map(N).filter(e=>null!==e).sort((e,t)=>e[0]-t[0])}function O(e){let t=z(e)?L(e.index):null;if(!z(e)||null===t)return null;let n=e.before,i={index:t,prompt:R(e.prompt),step:L(e.step)??0,answer:R(e.answer)};return z(n)?{...i,before:{step:L(n.step)??0,answer:R(n.answer)}}:i}function q(e){var t;return z(e)&&""!==R(e.run_id)?{run_id:R(e.run_id),adapter:R(e.adapter),snapshot:z(t=e.snapshot)&&H(t.state)?{state:t.state,step:L(t.step)??0,total_steps:L(t.total_steps)??0,reason:R(t.reason),message:R(t.message),last_event_id:L(t.last_event_id)??0,learning_rate:L(t.learning_rate),seconds_per_step:L(t.seconds_per_step),tokens_per_second:L(t.tokens_per_second),points:D(t.points),eval_points:D(t.eval_points),probes:F(t.probes).map(O).filter(e=>null!==e)}:null}:null}function U(e){let t=z(e)?e:{};return{code:R(t.code)||"internal_error",message:R(t.message)||"The service gave no reason.",hint:R(t.hint)}}let W=new Map,V="application/vnd.plotly.v1+json",B=new Set;class J{constructor(e,t){var n;let i,s;this.getPath=e,this.getView=t,this.model=null,this.writeIfHidden=()=>{"hidden"===document.visibilityState&&this.lease.isHeld&&this.write()},this.lease=(n=e(),i=W.get(n)??function(e){let t={numHolders:0,isHeld:!1,release:()=>void 0};if(W.set(e,t),!("locks"in navigator))return t.isHeld=!0,t;let n=new Promise(e=>{t.release=e});return navigator.locks.request(`twinkle-picture:${e}`,()=>(t.isHeld=!0,n)),t}(n),i.numHolders+=1,s=!1,{get isHeld(){return i.isHeld},dispose(){s||(s=!0,i.numHolders-=1,0===i.numHolders&&(W.delete(n),i.release()))}}),this.timer=setInterval(this.writeIfHidden,6e4),document.addEventListener("visibilitychange",this.writeIfHidden),B.add(this)}get path(){return this.getPath()}attach(e){this.model=e}onChange(e){m(e.state)&&this.lease.isHeld&&this.write()}write(){var e,t,n,i;let s,r,d,h,u,m,g,f,T,E,z,R,L,F,H,N,D,O,U,W,B,J=this.getView(),X=this.model?.data;if(null===J||void 0===X||(e=J,t=X[I],null!==(s=q(t)?.snapshot??null)&&!(e.lastEventId>s.last_event_id)))return;let K={...X,[I]:{run_id:J.runId,adapter:J.adapter,snapshot:{state:J.state,step:J.step,total_steps:J.totalSteps,reason:J.reason,message:J.message,last_event_id:J.lastEventId,learning_rate:J.learningRate,seconds_per_step:J.secondsPerStep,tokens_per_second:J.tokensPerSecond,points:w(J.points,500),eval_points:w(J.evalPoints,500),probes:J.probes.map(c)}},"text/html":(T={points:w(J.points,250),evalPoints:w(J.evalPoints,50),totalSteps:J.totalSteps},z=(E=[["Train loss",o(J.points.at(-1)?.[1])],["Held-out loss",o(J.evalPoints.at(-1)?.[1])],["Learning rate",a(J.learningRate)],["Tokens/s",l(J.tokensPerSecond)]]).map(([e])=>`<th scope="col" ${P}>${e}</th>`).join(""),R=E.map(([,e])=>`<td ${P}>${e}</td>`).join(""),`<div style="font-family:system-ui,sans-serif;font-size:13px;max-width:${S.width}px"><p style="margin:4px 0"><b>${A(J.adapter)}</b> ${A(_(J))}</p>`+(L=v(T),F=function(e,t,n){var i,s;let r,o=[...e.points,...e.evalPoints].map(e=>e[1]),a=o.reduce((e,t)=>Math.min(e,t),1/0),l=o.reduce((e,t)=>Math.max(e,t),-1/0),[p,d]=o.length>0?(i=a,r=(s=l)>i?.06*(s-i):Math.max(.05*Math.abs(s),.01),[i>=0?Math.max(0,i-r):i-r,s+r]):[0,1],h=k(e),u=t-46-12,c=n-12-34;return{width:t,height:n,x:e=>46+e/h*u,y:e=>12+(1-(e-p)/(d-p))*c,xTicks:j(0,h,Math.max(2,Math.floor(u/90))),yTicks:o.length>0?j(p,d,5):[]}}(T,S.width,S.height),H=L.smoothed.length>0,N=[(n=F,i=M,r=n.width-12,d=n.height-34,h=n.yTicks.map(e=>{let t=$(n.y(e));return`<path d="M46 ${t}H${r}" stroke="${i.grid}"/><text x="${40}" y="${t+4}" text-anchor="end" fill="${i.muted}">${e}</text>`}),u=n.xTicks.map(e=>`<text x="${$(n.x(e))}" y="${d+15}" text-anchor="middle" fill="${i.muted}">${p(e)}</text>`),m=$((46+r)/2),g=`<text x="${m}" y="${n.height-4}" text-anchor="middle" fill="${i.muted}">step</text>`,f=`<path d="M46 ${d}H${r}" stroke="${i.muted}" opacity="0.6"/>`,h.join("")+f+u.join("")+g),x(L.points,F,M.train,H?1:2,H?.4:1),x(L.smoothed,F,M.train,2,1),x(L.evalPoints,F,M.eval,1.5,1),...L.evalPoints.map(e=>y(e,F,M.eval)),...1===L.points.length?L.points.map(e=>y(e,F,M.train)):[]],D=`viewBox="0 0 ${S.width} ${S.height}" width="100%" height="${S.height}"`,`<svg xmlns="http://www.w3.org/2000/svg" ${D} role="img" font-family="system-ui, sans-serif" font-size="11" aria-label="${b(T)}">${N.join("")}</svg>`)+`<table style="border-collapse:collapse"><thead><tr>${z}</tr></thead>`+`<tbody><tr>${R}</tr></tbody></table>${function(e){if(0===e.length)return"";let t=e.slice(0,6).map(e=>{let t=null===e.before?"":C(e.before.answer,240),n=C(e.newest.answer,240);return`<tr><td ${P}>${A(C(e.prompt,160))}</td><td ${P}>${A(t)}</td><td ${P}>${A(n)} (step ${e.newest.step})</td></tr>`}),n=["Prompt","Before","Newest answer"].map(e=>`<th scope="col" ${P}>${e}</th>`).join("");return`<table style="border-collapse:collapse;margin-top:6px"><thead><tr>${n}</tr></thead><tbody>${t.join("")}</tbody></table>`}(J.probes)}</div>`),"text/plain":(U=void 0===(O=J.points.at(-1)?.[1])?"":`, loss ${o(O)}`,`${J.adapter} (${J.runId}): ${_(J)}${U}`)};Reflect.deleteProperty(K,"application/vnd.jupyter.widget-view+json"),V in X&&(K[V]=(W=w(J.points,250),B=w(J.evalPoints,50),{data:[{type:"scatter",name:"train",x:W.map(e=>e[0]),y:W.map(e=>e[1])},{type:"scatter",name:"held-out",x:B.map(e=>e[0]),y:B.map(e=>e[1])}],layout:{xaxis:{title:{text:"step"}},yaxis:{title:{text:"loss"}}}})),this.model?.setData({data:K})}dispose(){B.delete(this),clearInterval(this.timer),document.removeEventListener("visibilitychange",this.writeIfHidden),this.lease.dispose()}}var X=n(660);function K(e,t,n={},...i){let s=document.createElement(e);for(let[e,i]of(s.className=t,Object.entries(n)))s.setAttribute(e,i);return s.append(...i),s}function Q(e,t){e.textContent!==t&&(e.textContent=t)}function G(e,t,n){e.getAttribute(t)!==n&&e.setAttribute(t,n)}class Y{constructor(e){this.send=e,this.node=K("div","jp-twinkle-controls"),this.pause=Z("pause","Pause"),this.resume=Z("resume","Resume"),this.stop=Z("stop","Stop"),this.confirm=Z("stop-confirm","Stop the run"),this.keep=Z("stop-cancel","Keep going"),this.error=K("div","jp-twinkle-command-error",{role:"alert"}),this.view=null,this.canSteer=!1,this.isAsking=!1,this.pending=null,this.pause.onclick=()=>void this.command("pause"),this.resume.onclick=()=>void this.command("resume"),this.stop.onclick=()=>this.ask(!0),this.keep.onclick=()=>this.ask(!1),this.confirm.onclick=()=>void this.command("stop"),this.node.onkeydown=e=>{"Escape"===e.key&&this.isAsking&&(e.stopPropagation(),this.ask(!1))},this.node.append(this.error,this.keep,this.confirm,this.pause,this.resume,this.stop)}show(e,t){null!==this.view&&this.view.state!==e.state&&this.settle(),this.view=e,this.canSteer=t&&!m(e.state),this.isAsking&&(this.isAsking=this.canSteer),this.render()}dispose(){clearTimeout(this.timer)}ask(e){this.isAsking=e,this.render(),(e?this.confirm:this.stop).focus()}async command(e){this.settle(),this.isAsking=!1,this.pending=e,this.timer=setTimeout(()=>{this.settle(),this.render()},2e4),Q(this.error,""),this.render();try{await this.send(e)}catch(e){this.settle(),Q(this.error,e instanceof Error?e.message:String(e)),this.render()}}settle(){clearTimeout(this.timer),this.pending=null}render(){let{view:e,isAsking:t}=this;if(null===e)return;let n=this.pending??e.wanted,i=!m(e.state)&&!t,s=this.canSteer&&null===this.pending&&"stop"!==n;ee(this.pause,i&&"paused"!==e.state,s),ee(this.resume,i&&"paused"===e.state,s),ee(this.stop,i,s),ee(this.confirm,t,this.canSteer),ee(this.keep,t,!0),Q(this.pause,"pause"===n?"Pausing…":"Pause"),Q(this.resume,"resume"===n?"Resuming…":"Resume"),Q(this.stop,"stop"===n?"Stopping…":"Stop")}}function Z(e,t){return K("button","jp-twinkle-button",{type:"button","data-action":e},t)}function ee(e,t,n){e.hidden=!t,e.disabled=!n}let et={queued:"M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zm0 1.6a4.9 4.9 0 1 1 0 9.8 4.9 4.9 0 0 1 0-9.8zM7.2 4.5h1.6v3.2l2.3 1.4-.8 1.3-3.1-1.9z",running:"M4 2.5v11l9-5.5z",paused:"M4 3h3v10H4zM9 3h3v10H9z",interrupted:"M8 1 15.5 14.5H.5zM7.2 6v4.2h1.6V6zm0 5.2v1.6h1.6v-1.6z",finished:"M6.3 12.6 1.9 8.2l1.5-1.5 2.9 2.9 6.3-6.3 1.5 1.5z",stopped:"M3.5 3.5h9v9h-9z",failed:"M4 2.6 8 6.6l4-4L13.4 4l-4 4 4 4-1.4 1.4-4-4-4 4L2.6 12l4-4-4-4z"},en="http://www.w3.org/2000/svg";class ei{constructor(){this.node=K("div","jp-twinkle-probes",{hidden:""}),this.rows=[],this.node.append(K("div","jp-twinkle-probes-title",{},"Answers while it learns"))}show(e){for(this.node.hidden=0===e.length;this.rows.length>e.length;)this.rows.pop()?.node.remove();e.forEach((e,t)=>this.showProbe(e,t))}showProbe(e,t){let n=this.rows[t]??this.addRow();G(n.node,"data-probe-index",String(e.index)),G(n.node,"data-probe-step",String(e.newest.step)),Q(n.prompt,e.prompt),Q(n.step,0===e.newest.step?"base model":`step ${e.newest.step}`),n.answer.textContent!==e.newest.answer&&(n.answer.textContent=e.newest.answer,n.answer.classList.toggle("jp-twinkle-fresh",null!==e.before),n.answer.onanimationend=()=>n.answer.classList.remove("jp-twinkle-fresh")),Q(n.before,e.before?.answer??""),n.node.classList.toggle("jp-twinkle-mod-compared",null!==e.before)}addRow(){let e=K("div","jp-twinkle-prompt"),t=K("div","jp-twinkle-before"),n=K("span","jp-twinkle-answer-step"),i=K("div","jp-twinkle-answer"),s=K("div","jp-twinkle-probe",{},e,K("span","jp-twinkle-answer-step jp-twinkle-before-label",{},"before"),t,n,i),r={node:s,prompt:e,before:t,step:n,answer:i};return this.rows.push(r),this.node.append(s),r}}class es{constructor(e,t,n){let i,s;this.plot=K("div","jp-twinkle-plot-canvas"),this.icon=(i=document.createElementNS(en,"svg"),s=document.createElementNS(en,"path"),i.setAttribute("viewBox","0 0 16 16"),i.setAttribute("class","jp-twinkle-state-icon"),i.setAttribute("aria-hidden","true"),s.setAttribute("fill","currentColor"),s.setAttribute("fill-rule","evenodd"),i.append(s),{node:i,show:e=>s.setAttribute("d",et[e])}),this.stateWord=K("span","jp-twinkle-state-word"),this.state=K("span","jp-twinkle-state",{},this.icon.node,this.stateWord),this.connection=K("span","jp-twinkle-connection",{role:"status","aria-live":"polite"}),this.bar=K("div","jp-twinkle-bar-fill"),this.progress=K("div","jp-twinkle-bar",{role:"progressbar","aria-label":"Steps","aria-valuemin":"0"},this.bar),this.steps=K("span","jp-twinkle-steps"),this.message=K("span","jp-twinkle-message"),this.reason=K("div","jp-twinkle-reason",{hidden:""}),this.plotFrame=K("div","jp-twinkle-plot",{role:"img"},this.plot),this.probes=new ei,this.figures={train:er("Train loss","jp-twinkle-mod-train"),eval:er("Held-out loss","jp-twinkle-mod-eval"),rate:er("Tokens/s"),time:er("Time left"),learningRate:er("Learning rate")};let r=K("span","jp-twinkle-title",{title:e},t||e);this.root=K("section","jp-twinkle-run",{role:"region","aria-label":`Run of ${t||e}`,"data-twinkle-run":e},K("div","jp-twinkle-head",{},r,this.state,this.connection,n),this.progress,K("div","jp-twinkle-caption",{},this.steps,this.message),this.reason,K("dl","jp-twinkle-figures",{},...Object.values(this.figures).map(e=>e.node)),this.plotFrame,this.probes.node)}mark(e,t){G(this.root,"data-state",e.state),G(this.root,"data-step",String(e.step)),G(this.root,"data-points",String(e.points.length)),G(this.root,"data-connection",t),G(this.root,"data-last-event-id",String(e.lastEventId))}showConnection(e){Q(this.connection,e),this.connection.title=e}show(e,t){this.icon.show(e.state),Q(this.stateWord,r[e.state]),this.showProgress(e),Q(this.reason,e.reason),this.reason.hidden=""===e.reason,this.showFigures(e,t),G(this.plotFrame,"aria-label",b(e)),this.plotFrame.classList.toggle("jp-twinkle-mod-empty",0===e.points.length),this.probes.show(e.probes)}showProgress(e){let t=0===e.step&&!m(e.state)&&"paused"!==e.state,n=e.totalSteps>0?e.step/e.totalSteps:0,i=t?e.fraction??0:n,s=t&&null===e.fraction;this.progress.classList.toggle("jp-twinkle-mod-unknown",s),this.bar.style.transform=s?"":`scaleX(${Math.min(1,i).toFixed(4)})`,G(this.progress,"aria-valuemax",String(t?1:e.totalSteps||1)),s?this.progress.removeAttribute("aria-valuenow"):G(this.progress,"aria-valuenow",String(t?i:e.step)),Q(this.steps,d(e.step,e.totalSteps)),Q(this.message,function(e){if(""===e.message)return"";let t=null===e.fraction?"":` (${Math.round(100*e.fraction)} %)`;return`${e.message}${t}…`}(e))}showFigures(e,t){let n,i=this.figures,s=m(e.state),r=t?"running"!==e.state||null===e.secondsPerStep||0===e.totalSteps?null:Math.max(0,e.totalSteps-e.step)*e.secondsPerStep:null,p=s?Number.isFinite(n=(Date.parse(e.endedAt)-Date.parse(e.startedAt))/1e3)&&n>=0?n:null:r;Q(i.train.value,o(e.points.at(-1)?.[1])),Q(i.eval.value,o(e.evalPoints.at(-1)?.[1])),Q(i.rate.value,l(e.tokensPerSecond)),Q(i.time.name,s?"Took":"Time left"),Q(i.time.value,function(e){if(null===e)return"–";let t=Math.ceil(e),n=Math.floor(t/3600),i=Math.floor(t%3600/60),s=String(t%60).padStart(2,"0");return n>0?`${n}:${String(i).padStart(2,"0")}:${s}`:`${i}:${s}`}(p)),Q(i.learningRate.value,a(e.learningRate))}}function er(e,t=""){let n=K("dt",`jp-twinkle-figure-name ${t}`.trim(),{},e),i=K("dd","jp-twinkle-figure-value");return{node:K("div","jp-twinkle-figure",{},n,i),name:n,value:i}}class eo{constructor(e){this.options=e,this.connection="waiting",this.connectionText="Connecting…",this.pending=[],this.lastFlush=0,this.frame=0,this.isVisible=!0,this.isStale=!0,this.isDisposed=!1,this.plot=null,this.isPlotAsked=!1,this.colours=null;let{runId:t,adapter:n,snapshot:i}=e;this.log=h(t,n),this.picture=null===i?this.log:u(t,n,i),this.controls=new Y(t=>e.transport.command(t)),this.layout=new es(t,n,this.controls.node),this.node=this.layout.root,this.resizing=new ResizeObserver(()=>this.plot?.resize()),this.resizing.observe(this.layout.plot),this.seeing=new IntersectionObserver(e=>this.onSeen(e)),this.seeing.observe(this.node),this.update(),this.subscription=e.transport.subscribe(0,e=>this.onNotice(e))}get newest(){return this.flush(),this.log.lastEventId>0?this.log:null}offerSnapshot(e){e.last_event_id>this.picture.lastEventId&&(this.picture=u(this.options.runId,this.options.adapter,e),this.update())}recolour(){this.colours=null,this.requestDraw()}dispose(){this.isDisposed=!0,this.subscription.dispose(),clearTimeout(this.timer),cancelAnimationFrame(this.frame),this.resizing.disconnect(),this.seeing.disconnect(),this.controls.dispose(),this.plot?.dispose(),this.node.remove()}get view(){return this.log.lastEventId>=this.picture.lastEventId?this.log:this.picture}onNotice(e){if(!this.isDisposed){if("event"===e.type){this.pending.push(e),this.pending.length>=1e3&&this.flush(),this.setConnection("live","Live"),this.schedule();return}this.flush(),this.onConnection(e)}}onConnection(e){switch(e.type){case"connection":"live"===e.state?this.setConnection("live","Live"):0===this.log.lastEventId&&this.picture.lastEventId>0?this.setConnection("saved",ea(e.message||"the service is not running")):this.setConnection("waiting",e.message||"Waiting for the service");break;case"end":this.setConnection("ended","");break;case"error":this.setConnection("saved",ea(e.error.message));break;case"unavailable":this.setConnection("saved",ea(e.message))}this.update()}setConnection(e,t){(this.connection!==e||this.connectionText!==t)&&(this.connection=e,this.connectionText=t,this.isStale=!0)}schedule(){if(void 0===this.timer){let e=Math.max(0,100-(performance.now()-this.lastFlush));this.timer=setTimeout(()=>this.flush(),e)}}flush(){if(clearTimeout(this.timer),this.timer=void 0,0===this.pending.length)return;this.lastFlush=performance.now();let e=this.log.lastEventId;this.log=function(e,t){let n={...e,points:[...e.points],evalPoints:[...e.evalPoints],probes:[...e.probes],timings:[...e.timings]};for(let e of t)"event"===e.type&&e.id>n.lastEventId&&(n.lastEventId=e.id,n.startedAt=n.startedAt||e.event.at,function(e,t){var n,i,s,r;switch(t.kind){case"state":(n=e).state=(i=t).state,n.reason=i.reason,n.step=Math.max(n.step,i.step),n.wanted=null,n.endedAt=m(i.state)?i.at:"","queued"!==i.state&&"running"!==i.state&&(n.message="",n.fraction=null);break;case"progress":e.message=t.message,e.fraction=t.fraction;break;case"planned":e.totalSteps=t.totalSteps;break;case"step":s=e,r=t,s.message="",s.fraction=null,s.step=Math.max(s.step,r.step),s.learningRate=r.learningRate,g(s.points,[r.step,r.loss]),r.seconds>0&&s.timings.push({seconds:r.seconds,numTokens:r.numTokens});break;case"eval":g(e.evalPoints,[t.step,t.loss]);break;case"probe":!function(e,t,n,i){let s={step:i.step,answer:i.answer},r=e.findIndex(e=>e.index>=t),o=e[r];o?.index!==t?e.splice(-1===r?e.length:r,0,{index:t,prompt:n,newest:s,before:null}):s.step>o.newest.step?e[r]={index:t,prompt:n,newest:s,before:o.before??o.newest}:s.step===o.newest.step&&(e[r]={...o,newest:s})}(e.probes,t.index,t.prompt,t);break;case"command":e.wanted=t.command}}(n,e.event));return n.timings=n.timings.slice(-15),n.timings.length>0&&(n.secondsPerStep=f(n.timings.map(e=>e.seconds)),n.tokensPerSecond=f(n.timings.map(e=>e.numTokens/e.seconds))),n}(this.log,this.pending),this.pending=[],this.update(),this.log.lastEventId>e&&this.options.onChange?.(this.log)}update(){this.layout.mark(this.view,this.connection),this.layout.showConnection(m(this.view.state)&&"live"===this.connection?"":this.connectionText),this.requestDraw()}onSeen(e){this.isVisible=e.at(-1)?.isIntersecting??!0,this.isVisible&&this.isStale&&this.requestDraw()}requestDraw(){this.isStale=!0,this.isVisible&&0===this.frame&&!this.isDisposed&&(this.frame=requestAnimationFrame(()=>{this.frame=0,this.draw()}))}draw(){if(!this.node.isConnected)return;this.isStale=!1;let e=this.view,t="live"===this.connection;if(this.layout.show(e,t),this.controls.show(e,t),e.points.length+e.evalPoints.length!==0)if(null===this.plot)this.askForPlot();else{var n;let t,i,s;this.colours??(this.colours=(n=this.node,(t=document.createElement("span")).hidden=!0,n.append(t),s={train:(i=e=>(t.style.color=`var(--jp-twinkle-${e})`,getComputedStyle(t).color))("train"),eval:i("eval"),text:i("text"),muted:i("muted"),grid:i("grid"),background:i("background")},t.remove(),s)),this.plot.draw(e,this.colours)}}askForPlot(){this.isPlotAsked||(this.isPlotAsked=!0,this.options.createPlot(this.layout.plot).then(e=>{this.isDisposed?e.dispose():(this.plot=e,this.requestDraw())}))}}function ea(e){return`Saved picture; ${e.charAt(0).toLowerCase()}${e.slice(1).replace(/\.$/,"")}`}let el={displaylogo:!1,displayModeBar:"hover",modeBarButtonsToRemove:["select2d","lasso2d","toImage","autoScale2d"],responsive:!1,showTips:!1};class ep{constructor(e,t){this.host=e,this.plotly=t,this.isDrawn=!1}draw(e,t){var n,i,s,r;let o,a,l,p;this.isDrawn=!0,this.plotly.react(this.host,(n=e,i=t,a=(o=v(n)).smoothed.length>0,l="step %{x}: %{y:.4f}<extra>%{fullData.name}</extra>",[{...eh(o.points),name:"train",mode:1===o.points.length?"markers":"lines",opacity:a?.4:1,line:{color:i.train,width:a?1:2},hovertemplate:l},{...eh(o.smoothed),name:"train, smoothed",mode:"lines",visible:a,line:{color:i.train,width:2},hoverinfo:"skip"},{...eh(o.evalPoints),name:"held-out",mode:"lines+markers",line:{color:i.eval,width:1.5},marker:{size:7},hovertemplate:l}]),(s=e,p={automargin:!0,gridcolor:(r=t).grid,zeroline:!1,linecolor:r.grid,tickfont:{color:r.muted}},{uirevision:"run",autosize:!0,margin:{l:44,r:12,t:12,b:36},showlegend:!1,hovermode:"closest",dragmode:"zoom",paper_bgcolor:"rgba(0,0,0,0)",plot_bgcolor:"rgba(0,0,0,0)",font:{color:r.text,size:11},hoverlabel:{bgcolor:r.background,bordercolor:r.grid,font:{color:r.text}},modebar:{color:r.muted,activecolor:r.text,bgcolor:"rgba(0,0,0,0)"},xaxis:{...p,showgrid:!1,title:{text:"step",font:{color:r.muted,size:11},standoff:4},autorangeoptions:{include:[0,k(s)]},tickformat:",d"},yaxis:{...p}}),el)}resize(){this.isDrawn&&this.host.clientWidth>0&&this.plotly.Plots.resize(this.host)}dispose(){this.plotly.purge(this.host)}}let ed=async e=>new ep(e,await n.e(424).then(n.t.bind(n,19,23)));function eh(e){return{x:e.map(e=>e[0]),y:e.map(e=>e[1])}}var eu=n(901),ec=n(904);class em extends Error{constructor(e){super([e.message,e.hint].filter(e=>""!==e).join(" ")),this.reason=e,this.name="CommandFailedError"}}let ew="twinkle-jupyter";class eg{constructor(e,t){this.runId=e,this.settings=t}subscribe(e,t){return new ef(this.runId,this.settings,e,t)}async command(e){let t,n=eu.URLExt.join(ew,"api/runs",encodeURIComponent(this.runId),e),i=eu.URLExt.join(this.settings.baseUrl,n);try{t=await ec.ServerConnection.makeRequest(i,{method:"POST"},this.settings)}catch{throw new em({code:"service_unavailable",message:"The Jupyter server does not answer.",hint:""})}if(!t.ok){var s;throw new em(U(z(s=ev(await t.text()))?s.error:null))}}}class ef{constructor(e,t,n,i){this.runId=e,this.settings=t,this.after=n,this.onNotice=i,this.socket=null,this.wait=250,this.isOver=!1,this.wasOpen=!1,this.problem="",this.onOnline=()=>{void 0!==this.timer&&null===this.socket&&(clearTimeout(this.timer),this.wait=250,this.connect())},window.addEventListener("online",this.onOnline),this.timer=setTimeout(()=>this.connect(),0)}dispose(){this.finish()}connect(){this.timer=void 0;let{settings:e}=this,t=eu.URLExt.join(ew,"runs",encodeURIComponent(this.runId),"events"),n=e.appendToken&&e.token?`&token=${encodeURIComponent(e.token)}`:"",i=new e.WebSocket(`${eu.URLExt.join(e.wsUrl,t)}?after=${this.after}${n}`);i.onopen=()=>{this.wasOpen=!0},i.onmessage=e=>this.onMessage(e.data),i.onclose=()=>void this.onClose(),this.socket=i}onMessage(e){var t;let n="string"==typeof e?function(e){if(!z(e))return null;switch(e.type){case"event":{var t;let n,i,s=L(e.id);return null===s?null:{type:"event",id:s,event:(i=R((n=z(t=e.event)?t:{}).at),function(e,t){switch(e.kind){case"state":let n;return H(n=e.state)?{kind:"state",at:t,state:n,step:L(e.step)??0,reason:R(e.reason)}:null;case"step":case"eval":let i,s;return i=L(e.step),s=L(e.loss),null===i||null===s?null:"eval"===e.kind?{kind:"eval",at:t,step:i,loss:s}:{kind:"step",at:t,step:i,loss:s,learningRate:L(e.learning_rate)??0,numTokens:L(e.num_tokens)??0,seconds:L(e.seconds)??0};case"probe":let r;return null===(r=L(e.index))?null:{kind:"probe",at:t,step:L(e.step)??0,index:r,prompt:R(e.prompt),answer:R(e.answer)};case"planned":return{kind:"planned",at:t,totalSteps:L(e.total_steps)??0};case"progress":return{kind:"progress",at:t,message:R(e.message),fraction:L(e.fraction)};case"command":{let n=e.command,i=L(e.step)??0;return"pause"===n||"resume"===n||"stop"===n?{kind:"command",at:t,command:n,step:i}:null}default:return null}}(n,i)??{kind:"other",at:i})}}case"connection":return{type:"connection",state:"live"===e.state?"live":"waiting",message:R(e.message)};case"end":return{type:"end"};case"error":return{type:"error",error:U(e.error)};default:return null}}(ev(e)):null;null===n||this.isOver||"event"===n.type&&n.id<=this.after||(this.note(n),("end"===(t=n).type||"error"===t.type&&"not_found"===t.error.code)&&this.finish(),this.onNotice(n))}note(e){if("error"===e.type){this.problem=e.error.message;return}this.problem="",this.wait=250,"event"===e.type&&(this.after=e.id)}async onClose(){if(this.socket=null,!this.isOver){if(!this.wasOpen&&!await this.hasRoute()){this.finish(),this.onNotice({type:"unavailable",message:"The Jupyter server runs without twinkle_jupyter"});return}this.retry()}}retry(){this.isOver||(this.onNotice({type:"connection",state:"waiting",message:this.problem||"The Jupyter server does not answer; trying again"}),this.timer=setTimeout(()=>this.connect(),this.wait),this.wait=Math.min(2*this.wait,2e3))}async hasRoute(){let e=eu.URLExt.join(this.settings.baseUrl,ew,"service");try{let t=await ec.ServerConnection.makeRequest(e,{},this.settings);return 404!==t.status}catch{return!0}}finish(){this.isOver=!0,clearTimeout(this.timer),window.removeEventListener("online",this.onOnline),null!==this.socket&&(this.socket.onmessage=null,this.socket.close(),this.socket=null)}}function ev(e){try{return JSON.parse(e)}catch{return null}}class ek extends X.Widget{constructor(e,t){super(),this.context=e,this.runId="",this.panel=null,this.onThemeChanged=()=>{this.panel?.recolour()},this.addClass("jp-twinkle-output"),this.keeper=new J(()=>{var e;return null!==(e=t.resolver)&&"path"in e&&"string"==typeof e.path?e.path:""},()=>this.panel?.newest??null),e.themes?.themeChanged.connect(this.onThemeChanged)}renderModel(e){let t=q(e.data[I]);return null===t?this.node.textContent="This output names no run.":(null===this.panel||t.run_id!==this.runId?this.open(t):null!==t.snapshot&&this.panel.offerSnapshot(t.snapshot),this.keeper.attach(e)),Promise.resolve()}dispose(){this.isDisposed||(this.context.themes?.themeChanged.disconnect(this.onThemeChanged),this.keeper.dispose(),this.panel?.dispose(),super.dispose())}open(e){this.panel?.dispose(),this.runId=e.run_id,this.panel=new eo({runId:e.run_id,adapter:e.adapter,snapshot:e.snapshot,transport:new eg(e.run_id,this.context.settings),createPlot:ed,onChange:e=>this.keeper.onChange(e)}),this.node.replaceChildren(this.panel.node)}}let eb=[{id:"twinkle-jupyter:run-panel",description:"Shows a training run live, with or without a kernel.",autoStart:!0,requires:[s.IRenderMimeRegistry],optional:[i.IThemeManager],activate:(e,t,n)=>{var i;let s=e.serviceManager.serverSettings;t.addFactory((i={settings:s,themes:n},{safe:!0,mimeTypes:[I],createRenderer:e=>new ek(i,e)}),-20)}},{id:"twinkle-jupyter:run-pictures",description:"Saves the newest picture of each run with the notebook.",autoStart:!0,activate:e=>{e.docRegistry.addWidgetExtension("Notebook",{createNew:(e,t)=>{t.saveState.connect((e,n)=>{"started"===n&&function(e){for(let t of B)t.path===e&&t.write()}(t.path)})}})}}]},646(e,t,n){var i=n(601),s=n.n(i),r=n(314),o=n.n(r),a=n(724),l=o()(s());l.i(a.A),l.push([e.id,`
`,""]),n.d(t,{},{A:l})},724(e,t,n){var i=n(601),s=n.n(i),r=n(314),o=(n.n(r))()(s());o.push([e.id,`/* The panel of a run. JupyterLab's variables first, then those of VS Code, then the page's own. */

.jp-twinkle-run {
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

.jp-twinkle-run [hidden] {
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

.jp-twinkle-run[data-state='running'] .jp-twinkle-state {
  --jp-twinkle-state-color: var(--jp-twinkle-train);
}

.jp-twinkle-run[data-state='finished'] .jp-twinkle-state {
  --jp-twinkle-state-color: var(--jp-twinkle-success);
}

.jp-twinkle-run[data-state='paused'] .jp-twinkle-state,
.jp-twinkle-run[data-state='interrupted'] .jp-twinkle-state {
  --jp-twinkle-state-color: var(--jp-twinkle-warn);
}

.jp-twinkle-run[data-state='failed'] .jp-twinkle-state {
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

.jp-twinkle-run[data-connection='live'] .jp-twinkle-connection::before {
  border-color: var(--jp-twinkle-success);
  background: var(--jp-twinkle-success);
}

.jp-twinkle-run[data-connection='waiting'] .jp-twinkle-connection::before {
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

.jp-twinkle-button[data-action='stop-confirm'] {
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

.jp-twinkle-run[data-state='finished'] .jp-twinkle-bar-fill {
  background: var(--jp-twinkle-success);
}

.jp-twinkle-run[data-state='paused'] .jp-twinkle-bar-fill,
.jp-twinkle-run[data-state='interrupted'] .jp-twinkle-bar-fill {
  background: var(--jp-twinkle-warn);
}

.jp-twinkle-run[data-state='failed'] .jp-twinkle-bar-fill {
  background: var(--jp-twinkle-error);
}

.jp-twinkle-bar.jp-twinkle-mod-unknown .jp-twinkle-bar-fill {
  width: 30%;
  animation: jp-twinkle-sweep 1.4s ease-in-out infinite;
  transition: none;
}

.jp-twinkle-run[data-connection='saved'] .jp-twinkle-mod-unknown .jp-twinkle-bar-fill {
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

.jp-twinkle-run[data-state='failed'] .jp-twinkle-reason {
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

.jp-twinkle-fresh {
  animation: jp-twinkle-flash 0.9s ease-out;
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
`,""]),n.d(t,{},{A:o})},314(e){e.exports=function(e){var t=[];return t.toString=function(){return this.map(function(t){var n="",i=void 0!==t[5];return t[4]&&(n+="@supports (".concat(t[4],") {")),t[2]&&(n+="@media ".concat(t[2]," {")),i&&(n+="@layer".concat(t[5].length>0?" ".concat(t[5]):""," {")),n+=e(t),i&&(n+="}"),t[2]&&(n+="}"),t[4]&&(n+="}"),n}).join("")},t.i=function(e,n,i,s,r){"string"==typeof e&&(e=[[null,e,void 0]]);var o={};if(i)for(var a=0;a<this.length;a++){var l=this[a][0];null!=l&&(o[l]=!0)}for(var p=0;p<e.length;p++){var d=[].concat(e[p]);i&&o[d[0]]||(void 0!==r&&(void 0===d[5]||(d[1]="@layer".concat(d[5].length>0?" ".concat(d[5]):""," {").concat(d[1],"}")),d[5]=r),n&&(d[2]&&(d[1]="@media ".concat(d[2]," {").concat(d[1],"}")),d[2]=n),s&&(d[4]?(d[1]="@supports (".concat(d[4],") {").concat(d[1],"}"),d[4]=s):d[4]="".concat(s)),t.push(d))}},t}},601(e){e.exports=function(e){return e[1]}},665(e,t,n){n.r(t);var i=n(72),s=n.n(i),r=n(825),o=n.n(r),a=n(659),l=n.n(a),p=n(56),d=n.n(p),h=n(540),u=n.n(h),c=n(113),m=n.n(c),w=n(646),g={};g.styleTagTransform=m(),g.setAttributes=d(),g.insert=l().bind(null,"head"),g.domAPI=o(),g.insertStyleElement=u(),s()(w.A,g);let f=w.A&&w.A.locals?w.A.locals:void 0;n.d(t,{},{default:f})},72(e){var t=[];function n(e){for(var n=-1,i=0;i<t.length;i++)if(t[i].identifier===e){n=i;break}return n}function i(e,i){for(var s={},r=[],o=0;o<e.length;o++){var a=e[o],l=i.base?a[0]+i.base:a[0],p=s[l]||0,d="".concat(l," ").concat(p);s[l]=p+1;var h=n(d),u={css:a[1],media:a[2],sourceMap:a[3],supports:a[4],layer:a[5]};if(-1!==h)t[h].references++,t[h].updater(u);else{var c=function(e,t){var n=t.domAPI(t);return n.update(e),function(t){t?(t.css!==e.css||t.media!==e.media||t.sourceMap!==e.sourceMap||t.supports!==e.supports||t.layer!==e.layer)&&n.update(e=t):n.remove()}}(u,i);i.byIndex=o,t.splice(o,0,{identifier:d,updater:c,references:1})}r.push(d)}return r}e.exports=function(e,s){var r=i(e=e||[],s=s||{});return function(e){e=e||[];for(var o=0;o<r.length;o++){var a=n(r[o]);t[a].references--}for(var l=i(e,s),p=0;p<r.length;p++){var d=n(r[p]);0===t[d].references&&(t[d].updater(),t.splice(d,1))}r=l}}},659(e){var t={};e.exports=function(e,n){var i=function(e){if(void 0===t[e]){var n=document.querySelector(e);if(window.HTMLIFrameElement&&n instanceof window.HTMLIFrameElement)try{n=n.contentDocument.head}catch(e){n=null}t[e]=n}return t[e]}(e);if(!i)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");i.appendChild(n)}},540(e){e.exports=function(e){var t=document.createElement("style");return e.setAttributes(t,e.attributes),e.insert(t,e.options),t}},56(e,t,n){e.exports=function(e){var t=n.nc;t&&e.setAttribute("nonce",t)}},825(e){e.exports=function(e){if("u"<typeof document)return{update:function(){},remove:function(){}};var t=e.insertStyleElement(e);return{update:function(n){var i,s,r;i="",n.supports&&(i+="@supports (".concat(n.supports,") {")),n.media&&(i+="@media ".concat(n.media," {")),(s=void 0!==n.layer)&&(i+="@layer".concat(n.layer.length>0?" ".concat(n.layer):""," {")),i+=n.css,s&&(i+="}"),n.media&&(i+="}"),n.supports&&(i+="}"),(r=n.sourceMap)&&"u">typeof btoa&&(i+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(r))))," */")),e.styleTagTransform(i,t,e.options)},remove:function(){var e;null===(e=t).parentNode||e.parentNode.removeChild(e)}}}},113(e){e.exports=function(e,t){if(t.styleSheet)t.styleSheet.cssText=e;else{for(;t.firstChild;)t.removeChild(t.firstChild);t.appendChild(document.createTextNode(e))}}}}]);
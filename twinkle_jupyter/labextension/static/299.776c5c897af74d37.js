"use strict";(self.rspackChunktwinkle_jupyter=self.rspackChunktwinkle_jupyter||[]).push([[299],{886(e,t,n){n.r(t),n.d(t,{default:()=>ej}),n(665);var i=n(2),s=n(837);let r={queued:"Queued",running:"Running",paused:"Paused",interrupted:"Interrupted",finished:"Finished",stopped:"Stopped",failed:"Failed"};function o(e){return null==e?"–":0!==e&&.001>Math.abs(e)?e.toExponential(1):e.toFixed(3)}function a(e){return null===e?"–":0===e||e>=.01?String(Number(e.toPrecision(3))):String(Number(e.toExponential(2).split("e")[0]))+"e"+String(Number(e.toExponential(2).split("e")[1]))}function l(e){return null===e?"–":e<10?e.toFixed(1):p(Math.round(e))}function p(e){return String(e).replace(/\B(?=(\d{3})+$)/g," ")}function d(e,t){return t>0?`step ${p(e)} of ${p(t)}`:`step ${p(e)}`}function h(e){let t=[...e].sort((e,t)=>e-t),n=Math.floor(t.length/2),i=t[n]??0;return t.length%2==1?i:(i+(t[n-1]??0))/2}function c(e,t){return{runId:e,adapter:t,state:"queued",reason:"",step:0,totalSteps:0,message:"",fraction:null,learningRate:null,secondsPerStep:null,tokensPerSecond:null,gradNorm:null,phases:null,memoryBytes:0,notice:"",points:[],evalPoints:[],probes:[],wanted:null,lastEventId:0,startedAt:"",endedAt:"",timings:[]}}function u(e,t,n){return{...c(e,t),state:n.state,reason:n.reason,step:n.step,totalSteps:n.total_steps,message:n.message,learningRate:n.learning_rate,secondsPerStep:n.seconds_per_step,tokensPerSecond:n.tokens_per_second,gradNorm:n.grad_norm,phases:n.phase_seconds,memoryBytes:n.memory_bytes,notice:n.notice,points:n.points,evalPoints:n.eval_points,probes:n.probes.map(e=>({index:e.index,prompt:e.prompt,newest:{step:e.step,answer:e.answer},before:e.before??null})),lastEventId:n.last_event_id}}function m(e){let t={index:e.index,prompt:e.prompt,...e.newest};return null===e.before?t:{...t,before:e.before}}function w(e){return"finished"===e||"stopped"===e||"failed"===e}function g(e,t){if(e.length<=t)return e;let n=(e.length-1)/(t-1);return Array.from({length:t},(t,i)=>e[Math.round(i*n)]).filter(e=>void 0!==e)}function f(e,t){let n=e.length;for(;n>0&&(e[n-1]?.[0]??0)>=t[0];)n-=1;let i=e[n]?.[0]===t[0];e.splice(n,+!!i,t)}function v(e){let t=e.points.length<50?[]:function(e){let t=Math.ceil(.025*e.length),n=[0];for(let[,t]of e)n.push((n.at(-1)??0)+t);return e.map(([i],s)=>{let r=Math.min(t,s,e.length-1-s);return[i,((n[s+r+1]??0)-(n[s-r]??0))/(2*r+1)]})}(e.points);return{points:g(e.points,2e3),smoothed:g(t,2e3),evalPoints:g(e.evalPoints,2e3)}}function k(e){let t=e.points.at(-1)?.[0]??0;return e.totalSteps>0&&e.totalSteps<=Math.max(100,2*t)?Math.max(t,e.totalSteps):Math.max(10,t)}function b(e){let t=e.points.at(-1);if(void 0===t)return"Loss over steps, no point yet";let n=`Loss over steps; newest ${t[1].toFixed(3)} at step ${t[0]}`,i=e.evalPoints.at(-1);return void 0===i?n:`${n}; on held-out rows ${i[1].toFixed(3)} at step ${i[0]}`}function j(e,t,n){let i=(t-e)/n,s=10**Math.floor(Math.log10(i)),r=([1,2,5,10].find(e=>e*s>=i)??10)*s,o=Math.ceil(e/r);return Array.from({length:Math.floor(t/r+1e-9)-o+1},(e,t)=>Number(((o+t)*r).toPrecision(12)))}function x(e,t,n,i,s){if(e.length<2)return"";let r=e.map(([e,n])=>`${$(t.x(e))} ${$(t.y(n))}`);return`<path d="M${r.join("L")}" fill="none" stroke="${n}" stroke-width="${i}" stroke-linejoin="round" opacity="${s}"/>`}function y([e,t],n,i){return`<circle cx="${$(n.x(e))}" cy="${$(n.y(t))}" r="3.5" fill="${i}"/>`}function $(e){return Math.round(10*e)/10}let S={width:720,height:240},_={train:"#3f83d6",eval:"#d9822b",text:"currentColor",muted:"currentColor",grid:"rgba(128,128,128,0.25)",background:"transparent"},M='style="text-align:left;padding:2px 16px 2px 0;vertical-align:top"';function P(e){let t=`${r[e.state].toLowerCase()}, ${d(e.step,e.totalSteps)}`;return""===e.reason?t:`${t}: ${e.reason}`}function C(e,t){let n=Array.from(e);return n.length<=t?e:`${n.slice(0,t).join("")}…`}let T={"&":"&amp;","<":"&lt;",">":"&gt;",'"':"&quot;","'":"&#39;"};function A(e){return e.replace(/[&<>"']/g,e=>T[e]??e)}let I="application/vnd.twinkle.run+json",z=["queued","running","paused","interrupted","finished","stopped","failed"];function E(e){return"object"==typeof e&&null!==e&&!Array.isArray(e)}function R(e){return"string"==typeof e?e:""}function F(e){return"number"==typeof e&&Number.isFinite(e)?e:null}function N(e){return Array.isArray(e)?e:[]}function L(e){return z.some(t=>t===e)}function H(e){let t=N(e),n=F(t[0]),i=F(t[1]);return null===n||null===i?null:[n,i]}function q(e){return N(e).map(H).filter(e=>null!==e).sort((e,t)=>e[0]-t[0])}function D(e,t){let n=n=>F(e[n+t])??0;return{queue:n("queue"),forward:n("forward"),backward:n("backward"),optimizer:n("optimizer")}}function O(e){let t=E(e)?F(e.index):null;if(!E(e)||null===t)return null;let n=e.before,i={index:t,prompt:R(e.prompt),step:F(e.step)??0,answer:R(e.answer)};return E(n)?{...i,before:{step:F(n.step)??0,answer:R(n.answer)}}:i}function B(e){var t;return E(e)&&""!==R(e.run_id)?{run_id:R(e.run_id),adapter:R(e.adapter),snapshot:E(t=e.snapshot)&&L(t.state)?{state:t.state,step:F(t.step)??0,total_steps:F(t.total_steps)??0,reason:R(t.reason),message:R(t.message),last_event_id:F(t.last_event_id)??0,learning_rate:F(t.learning_rate),seconds_per_step:F(t.seconds_per_step),tokens_per_second:F(t.tokens_per_second),grad_norm:F(t.grad_norm),phase_seconds:E(t.phase_seconds)?D(t.phase_seconds,""):null,memory_bytes:F(t.memory_bytes)??0,notice:R(t.notice),points:q(t.points),eval_points:q(t.eval_points),probes:N(t.probes).map(O).filter(e=>null!==e)}:null}:null}function U(e){let t=E(e)?e:{};return{code:R(t.code)||"internal_error",message:R(t.message)||"The service gave no reason.",hint:R(t.hint)}}let W=new Map,V="application/vnd.plotly.v1+json",J=new Set;class X{constructor(e,t){var n;let i,s;this.getPath=e,this.getView=t,this.model=null,this.writeIfHidden=()=>{"hidden"===document.visibilityState&&this.lease.isHeld&&this.write()},this.lease=(n=e(),i=W.get(n)??function(e){let t={numHolders:0,isHeld:!1,release:()=>void 0};if(W.set(e,t),!("locks"in navigator))return t.isHeld=!0,t;let n=new Promise(e=>{t.release=e});return navigator.locks.request(`twinkle-picture:${e}`,()=>(t.isHeld=!0,n)),t}(n),i.numHolders+=1,s=!1,{get isHeld(){return i.isHeld},dispose(){s||(s=!0,i.numHolders-=1,0===i.numHolders&&(W.delete(n),i.release()))}}),this.timer=setInterval(this.writeIfHidden,6e4),document.addEventListener("visibilitychange",this.writeIfHidden),J.add(this)}get path(){return this.getPath()}attach(e){this.model=e}onChange(e){w(e.state)&&this.lease.isHeld&&this.write()}write(){var e,t,n,i;let s,r,d,h,c,u,w,f,T,z,E,R,F,N,L,H,q,D,O,U,W,J=this.getView(),X=this.model?.data;if(null===J||void 0===X||(e=J,t=X[I],null!==(s=B(t)?.snapshot??null)&&!(e.lastEventId>s.last_event_id)))return;let G={...X,[I]:{run_id:J.runId,adapter:J.adapter,snapshot:{state:J.state,step:J.step,total_steps:J.totalSteps,reason:J.reason,message:J.message,last_event_id:J.lastEventId,learning_rate:J.learningRate,seconds_per_step:J.secondsPerStep,tokens_per_second:J.tokensPerSecond,grad_norm:J.gradNorm,phase_seconds:J.phases,memory_bytes:J.memoryBytes,notice:J.notice,points:g(J.points,500),eval_points:g(J.evalPoints,500),probes:J.probes.map(m)}},"text/html":(T={points:g(J.points,250),evalPoints:g(J.evalPoints,50),totalSteps:J.totalSteps},E=(z=[["Train loss",o(J.points.at(-1)?.[1])],["Held-out loss",o(J.evalPoints.at(-1)?.[1])],["Learning rate",a(J.learningRate)],["Tokens/s",l(J.tokensPerSecond)]]).map(([e])=>`<th scope="col" ${M}>${e}</th>`).join(""),R=z.map(([,e])=>`<td ${M}>${e}</td>`).join(""),`<div style="font-family:system-ui,sans-serif;font-size:13px;max-width:${S.width}px"><p style="margin:4px 0"><b>${A(J.adapter)}</b> ${A(P(J))}</p>`+(F=v(T),N=function(e,t,n){var i,s;let r,o=[...e.points,...e.evalPoints].map(e=>e[1]),a=o.reduce((e,t)=>Math.min(e,t),1/0),l=o.reduce((e,t)=>Math.max(e,t),-1/0),[p,d]=o.length>0?(i=a,r=(s=l)>i?.06*(s-i):Math.max(.05*Math.abs(s),.01),[i>=0?Math.max(0,i-r):i-r,s+r]):[0,1],h=k(e),c=t-46-12,u=n-12-34;return{width:t,height:n,x:e=>46+e/h*c,y:e=>12+(1-(e-p)/(d-p))*u,xTicks:j(0,h,Math.max(2,Math.floor(c/90))),yTicks:o.length>0?j(p,d,5):[]}}(T,S.width,S.height),L=F.smoothed.length>0,H=[(n=N,i=_,r=n.width-12,d=n.height-34,h=n.yTicks.map(e=>{let t=$(n.y(e));return`<path d="M46 ${t}H${r}" stroke="${i.grid}"/><text x="${40}" y="${t+4}" text-anchor="end" fill="${i.muted}">${e}</text>`}),c=n.xTicks.map(e=>`<text x="${$(n.x(e))}" y="${d+15}" text-anchor="middle" fill="${i.muted}">${p(e)}</text>`),u=$((46+r)/2),w=`<text x="${u}" y="${n.height-4}" text-anchor="middle" fill="${i.muted}">step</text>`,f=`<path d="M46 ${d}H${r}" stroke="${i.muted}" opacity="0.6"/>`,h.join("")+f+c.join("")+w),x(F.points,N,_.train,L?1:2,L?.4:1),x(F.smoothed,N,_.train,2,1),x(F.evalPoints,N,_.eval,1.5,1),...F.evalPoints.map(e=>y(e,N,_.eval)),...1===F.points.length?F.points.map(e=>y(e,N,_.train)):[]],q=`viewBox="0 0 ${S.width} ${S.height}" width="100%" height="${S.height}"`,`<svg xmlns="http://www.w3.org/2000/svg" ${q} role="img" font-family="system-ui, sans-serif" font-size="11" aria-label="${b(T)}">${H.join("")}</svg>`)+`<table style="border-collapse:collapse"><thead><tr>${E}</tr></thead>`+`<tbody><tr>${R}</tr></tbody></table>${function(e){if(0===e.length)return"";let t=e.slice(0,6).map(e=>{let t=null===e.before?"":C(e.before.answer,240),n=C(e.newest.answer,240);return`<tr><td ${M}>${A(C(e.prompt,160))}</td><td ${M}>${A(t)}</td><td ${M}>${A(n)} (step ${e.newest.step})</td></tr>`}),n=["Prompt","Before","Newest answer"].map(e=>`<th scope="col" ${M}>${e}</th>`).join("");return`<table style="border-collapse:collapse;margin-top:6px"><thead><tr>${n}</tr></thead><tbody>${t.join("")}</tbody></table>`}(J.probes)}</div>`),"text/plain":(O=void 0===(D=J.points.at(-1)?.[1])?"":`, loss ${o(D)}`,`${J.adapter} (${J.runId}): ${P(J)}${O}`)};Reflect.deleteProperty(G,"application/vnd.jupyter.widget-view+json"),V in X&&(G[V]=(U=g(J.points,250),W=g(J.evalPoints,50),{data:[{type:"scatter",name:"train",x:U.map(e=>e[0]),y:U.map(e=>e[1])},{type:"scatter",name:"held-out",x:W.map(e=>e[0]),y:W.map(e=>e[1])}],layout:{xaxis:{title:{text:"step"}},yaxis:{title:{text:"loss"}}}})),this.model?.setData({data:G})}dispose(){J.delete(this),clearInterval(this.timer),document.removeEventListener("visibilitychange",this.writeIfHidden),this.lease.dispose()}}var G=n(660);function K(e,t,n={},...i){let s=document.createElement(e);for(let[e,i]of(s.className=t,Object.entries(n)))s.setAttribute(e,i);return s.append(...i),s}function Q(e,t){e.textContent!==t&&(e.textContent=t)}function Y(e,t,n){e.getAttribute(t)!==n&&e.setAttribute(t,n)}class Z{constructor(e){this.send=e,this.node=K("div","jp-twinkle-controls"),this.pause=ee("pause","Pause"),this.resume=ee("resume","Resume"),this.stop=ee("stop","Stop"),this.confirm=ee("stop-confirm","Stop the run"),this.keep=ee("stop-cancel","Keep going"),this.error=K("div","jp-twinkle-command-error",{role:"alert"}),this.view=null,this.canSteer=!1,this.isAsking=!1,this.pending=null,this.pause.onclick=()=>void this.command("pause"),this.resume.onclick=()=>void this.command("resume"),this.stop.onclick=()=>this.ask(!0),this.keep.onclick=()=>this.ask(!1),this.confirm.onclick=()=>void this.command("stop"),this.node.onkeydown=e=>{"Escape"===e.key&&this.isAsking&&(e.stopPropagation(),this.ask(!1))},this.node.append(this.error,this.keep,this.confirm,this.pause,this.resume,this.stop)}show(e,t){null!==this.view&&this.view.state!==e.state&&this.settle(),this.view=e,this.canSteer=t&&!w(e.state),this.isAsking&&(this.isAsking=this.canSteer),this.render()}dispose(){clearTimeout(this.timer)}ask(e){this.isAsking=e,this.render(),(e?this.confirm:this.stop).focus()}async command(e){this.settle(),this.isAsking=!1,this.pending=e,this.timer=setTimeout(()=>{this.settle(),this.render()},2e4),Q(this.error,""),this.render();try{await this.send(e)}catch(e){this.settle(),Q(this.error,e instanceof Error?e.message:String(e)),this.render()}}settle(){clearTimeout(this.timer),this.pending=null}render(){let{view:e,isAsking:t}=this;if(null===e)return;let n=this.pending??e.wanted,i=!w(e.state)&&!t,s=this.canSteer&&null===this.pending&&"stop"!==n;et(this.pause,i&&"paused"!==e.state,s),et(this.resume,i&&"paused"===e.state,s),et(this.stop,i,s),et(this.confirm,t,this.canSteer),et(this.keep,t,!0),Q(this.pause,"pause"===n?"Pausing…":"Pause"),Q(this.resume,"resume"===n?"Resuming…":"Resume"),Q(this.stop,"stop"===n?"Stopping…":"Stop")}}function ee(e,t){return K("button","jp-twinkle-button",{type:"button","data-action":e},t)}function et(e,t,n){e.hidden=!t,e.disabled=!n}let en={queued:"M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zm0 1.6a4.9 4.9 0 1 1 0 9.8 4.9 4.9 0 0 1 0-9.8zM7.2 4.5h1.6v3.2l2.3 1.4-.8 1.3-3.1-1.9z",running:"M4 2.5v11l9-5.5z",paused:"M4 3h3v10H4zM9 3h3v10H9z",interrupted:"M8 1 15.5 14.5H.5zM7.2 6v4.2h1.6V6zm0 5.2v1.6h1.6v-1.6z",finished:"M6.3 12.6 1.9 8.2l1.5-1.5 2.9 2.9 6.3-6.3 1.5 1.5z",stopped:"M3.5 3.5h9v9h-9z",failed:"M4 2.6 8 6.6l4-4L13.4 4l-4 4 4 4-1.4 1.4-4-4-4 4L2.6 12l4-4-4-4z"},ei="http://www.w3.org/2000/svg";class es{constructor(){this.node=K("div","jp-twinkle-probes",{hidden:""}),this.rows=[],this.node.append(K("div","jp-twinkle-probes-title",{},"Answers while it learns"))}show(e){for(this.node.hidden=0===e.length;this.rows.length>e.length;)this.rows.pop()?.node.remove();e.forEach((e,t)=>this.showProbe(e,t))}showProbe(e,t){let n=this.rows[t]??this.addRow();Y(n.node,"data-probe-index",String(e.index)),Y(n.node,"data-probe-step",String(e.newest.step)),Q(n.prompt,e.prompt),Q(n.step,0===e.newest.step?"base model":`step ${e.newest.step}`),n.answer.textContent!==e.newest.answer&&(n.answer.textContent=e.newest.answer,n.answer.classList.toggle("jp-twinkle-fresh",null!==e.before),n.answer.onanimationend=()=>n.answer.classList.remove("jp-twinkle-fresh")),Q(n.before,e.before?.answer??""),n.node.classList.toggle("jp-twinkle-mod-compared",null!==e.before)}addRow(){let e=K("div","jp-twinkle-prompt"),t=K("div","jp-twinkle-before"),n=K("span","jp-twinkle-answer-step"),i=K("div","jp-twinkle-answer"),s=K("div","jp-twinkle-probe",{},e,K("span","jp-twinkle-answer-step jp-twinkle-before-label",{},"before"),t,n,i),r={node:s,prompt:e,before:t,step:n,answer:i};return this.rows.push(r),this.node.append(s),r}}class er{constructor(e,t,n){let i,s;this.plot=K("div","jp-twinkle-plot-canvas"),this.icon=(i=document.createElementNS(ei,"svg"),s=document.createElementNS(ei,"path"),i.setAttribute("viewBox","0 0 16 16"),i.setAttribute("class","jp-twinkle-state-icon"),i.setAttribute("aria-hidden","true"),s.setAttribute("fill","currentColor"),s.setAttribute("fill-rule","evenodd"),i.append(s),{node:i,show:e=>s.setAttribute("d",en[e])}),this.stateWord=K("span","jp-twinkle-state-word"),this.state=K("span","jp-twinkle-state",{},this.icon.node,this.stateWord),this.connection=K("span","jp-twinkle-connection",{role:"status","aria-live":"polite"}),this.bar=K("div","jp-twinkle-bar-fill"),this.progress=K("div","jp-twinkle-bar",{role:"progressbar","aria-label":"Steps","aria-valuemin":"0"},this.bar),this.steps=K("span","jp-twinkle-steps"),this.message=K("span","jp-twinkle-message"),this.notice=K("div","jp-twinkle-notice",{role:"status",hidden:""}),this.details=K("div","jp-twinkle-details",{title:"The newest step: gradient norm before clipping, and where its time went (waiting is for others); the memory that the trainer needs at most for this run is an estimate",hidden:""}),this.reason=K("div","jp-twinkle-reason",{hidden:""}),this.plotFrame=K("div","jp-twinkle-plot",{role:"img"},this.plot),this.probes=new es,this.figures={train:eo("Train loss","jp-twinkle-mod-train"),eval:eo("Held-out loss","jp-twinkle-mod-eval"),rate:eo("Tokens/s"),time:eo("Time left"),learningRate:eo("Learning rate")};let r=K("span","jp-twinkle-title",{title:e},t||e);this.root=K("section","jp-twinkle-run",{role:"region","aria-label":`Run of ${t||e}`,"data-twinkle-run":e},K("div","jp-twinkle-head",{},r,this.state,this.connection,n),this.progress,K("div","jp-twinkle-caption",{},this.steps,this.message),this.reason,this.notice,K("dl","jp-twinkle-figures",{},...Object.values(this.figures).map(e=>e.node)),this.details,this.plotFrame,this.probes.node)}mark(e,t){Y(this.root,"data-state",e.state),Y(this.root,"data-step",String(e.step)),Y(this.root,"data-points",String(e.points.length)),Y(this.root,"data-connection",t),Y(this.root,"data-last-event-id",String(e.lastEventId))}showConnection(e){Q(this.connection,e),this.connection.title=e}show(e,t){var n,i,s;let a,l;this.icon.show(e.state),Q(this.stateWord,r[e.state]),this.showProgress(e),Q(this.reason,e.reason),this.reason.hidden=""===e.reason,Q(this.notice,e.notice),this.notice.hidden=""===e.notice;let p=(a=null===(n=e).gradNorm?"":`gradient norm ${o(n.gradNorm)}`,l=n.memoryBytes>0?`needs about ${(i=n.memoryBytes)>=1e9?`${(i/1e9).toFixed(1)} GB`:`${Math.round(i/1e6)} MB`}`:"",[a,null===(s=n.phases)||Object.values(s).every(e=>0===e)?"":`forward ${s.forward.toFixed(2)} s \xb7 backward ${s.backward.toFixed(2)} s \xb7 optimizer ${s.optimizer.toFixed(2)} s \xb7 waited ${s.queue.toFixed(2)} s`,l].filter(e=>""!==e).join(" \xb7 "));Q(this.details,p),this.details.hidden=""===p,this.showFigures(e,t),Y(this.plotFrame,"aria-label",b(e)),this.plotFrame.classList.toggle("jp-twinkle-mod-empty",0===e.points.length),this.probes.show(e.probes)}showProgress(e){let t=0===e.step&&!w(e.state)&&"paused"!==e.state,n=e.totalSteps>0?e.step/e.totalSteps:0,i=t?e.fraction??0:n,s=t&&null===e.fraction;this.progress.classList.toggle("jp-twinkle-mod-unknown",s),this.bar.style.transform=s?"":`scaleX(${Math.min(1,i).toFixed(4)})`,Y(this.progress,"aria-valuemax",String(t?1:e.totalSteps||1)),s?this.progress.removeAttribute("aria-valuenow"):Y(this.progress,"aria-valuenow",String(t?i:e.step)),Q(this.steps,d(e.step,e.totalSteps)),Q(this.message,function(e){if(""===e.message)return"";let t=null===e.fraction?"":` (${Math.round(100*e.fraction)} %)`;return`${e.message}${t}…`}(e))}showFigures(e,t){let n,i=this.figures,s=w(e.state),r=t?"running"!==e.state||null===e.secondsPerStep||0===e.totalSteps?null:Math.max(0,e.totalSteps-e.step)*e.secondsPerStep:null,p=s?Number.isFinite(n=(Date.parse(e.endedAt)-Date.parse(e.startedAt))/1e3)&&n>=0?n:null:r;Q(i.train.value,o(e.points.at(-1)?.[1])),Q(i.eval.value,o(e.evalPoints.at(-1)?.[1])),Q(i.rate.value,l(e.tokensPerSecond)),Q(i.time.name,s?"Took":"Time left"),Q(i.time.value,function(e){if(null===e)return"–";let t=Math.ceil(e),n=Math.floor(t/3600),i=Math.floor(t%3600/60),s=String(t%60).padStart(2,"0");return n>0?`${n}:${String(i).padStart(2,"0")}:${s}`:`${i}:${s}`}(p)),Q(i.learningRate.value,a(e.learningRate))}}function eo(e,t=""){let n=K("dt",`jp-twinkle-figure-name ${t}`.trim(),{},e),i=K("dd","jp-twinkle-figure-value");return{node:K("div","jp-twinkle-figure",{},n,i),name:n,value:i}}class ea{constructor(e){this.options=e,this.connection="waiting",this.connectionText="Connecting…",this.pending=[],this.lastFlush=0,this.frame=0,this.isVisible=!0,this.isStale=!0,this.isDisposed=!1,this.plot=null,this.isPlotAsked=!1,this.colours=null;let{runId:t,adapter:n,snapshot:i}=e;this.log=c(t,n),this.picture=null===i?this.log:u(t,n,i),this.controls=new Z(t=>e.transport.command(t)),this.layout=new er(t,n,this.controls.node),this.node=this.layout.root,this.resizing=new ResizeObserver(()=>this.plot?.resize()),this.resizing.observe(this.layout.plot),this.seeing=new IntersectionObserver(e=>this.onSeen(e)),this.seeing.observe(this.node),this.update(),this.subscription=e.transport.subscribe(0,e=>this.onNotice(e))}get newest(){return this.flush(),this.log.lastEventId>0?this.log:null}offerSnapshot(e){e.last_event_id>this.picture.lastEventId&&(this.picture=u(this.options.runId,this.options.adapter,e),this.update())}recolour(){this.colours=null,this.requestDraw()}dispose(){this.isDisposed=!0,this.subscription.dispose(),clearTimeout(this.timer),cancelAnimationFrame(this.frame),this.resizing.disconnect(),this.seeing.disconnect(),this.controls.dispose(),this.plot?.dispose(),this.node.remove()}get view(){return this.log.lastEventId>=this.picture.lastEventId?this.log:this.picture}onNotice(e){if(!this.isDisposed){if("event"===e.type){this.pending.push(e),this.pending.length>=1e3&&this.flush(),this.setConnection("live","Live"),this.schedule();return}this.flush(),this.onConnection(e)}}onConnection(e){switch(e.type){case"connection":"live"===e.state?this.setConnection("live","Live"):0===this.log.lastEventId&&this.picture.lastEventId>0?this.setConnection("saved",el(e.message||"the service is not running")):this.setConnection("waiting",e.message||"Waiting for the service");break;case"end":this.setConnection("ended","");break;case"error":this.setConnection("saved",el(e.error.message));break;case"unavailable":this.setConnection("saved",el(e.message))}this.update()}setConnection(e,t){(this.connection!==e||this.connectionText!==t)&&(this.connection=e,this.connectionText=t,this.isStale=!0)}schedule(){if(void 0===this.timer){let e=Math.max(0,100-(performance.now()-this.lastFlush));this.timer=setTimeout(()=>this.flush(),e)}}flush(){if(clearTimeout(this.timer),this.timer=void 0,0===this.pending.length)return;this.lastFlush=performance.now();let e=this.log.lastEventId;this.log=function(e,t){let n={...e,points:[...e.points],evalPoints:[...e.evalPoints],probes:[...e.probes],timings:[...e.timings]};for(let e of t)"event"===e.type&&e.id>n.lastEventId&&(n.lastEventId=e.id,n.startedAt=n.startedAt||e.event.at,function(e,t){var n,i,s,r;switch(t.kind){case"state":(n=e).state=(i=t).state,n.reason=i.reason,n.step=Math.max(n.step,i.step),n.wanted=null,n.endedAt=w(i.state)?i.at:"","queued"!==i.state&&"running"!==i.state&&(n.message="",n.fraction=null);break;case"progress":e.message=t.message,e.fraction=t.fraction;break;case"planned":e.totalSteps=t.totalSteps,e.memoryBytes=t.memoryBytes;break;case"notice":e.notice=t.message;break;case"step":s=e,r=t,s.message="",s.fraction=null,s.step=Math.max(s.step,r.step),s.learningRate=r.learningRate,s.gradNorm=r.gradNorm,s.phases=r.phases,f(s.points,[r.step,r.loss]),r.seconds>0&&s.timings.push({seconds:r.seconds,numTokens:r.numTokens});break;case"eval":f(e.evalPoints,[t.step,t.loss]);break;case"probe":!function(e,t,n,i){let s={step:i.step,answer:i.answer},r=e.findIndex(e=>e.index>=t),o=e[r];o?.index!==t?e.splice(-1===r?e.length:r,0,{index:t,prompt:n,newest:s,before:null}):s.step>o.newest.step?e[r]={index:t,prompt:n,newest:s,before:o.before??o.newest}:s.step===o.newest.step&&(e[r]={...o,newest:s})}(e.probes,t.index,t.prompt,t);break;case"command":e.wanted=t.command}}(n,e.event));return n.timings=n.timings.slice(-15),n.timings.length>0&&(n.secondsPerStep=h(n.timings.map(e=>e.seconds)),n.tokensPerSecond=h(n.timings.map(e=>e.numTokens/e.seconds))),n}(this.log,this.pending),this.pending=[],this.update(),this.log.lastEventId>e&&this.options.onChange?.(this.log)}update(){this.layout.mark(this.view,this.connection),this.layout.showConnection(w(this.view.state)&&"live"===this.connection?"":this.connectionText),this.requestDraw()}onSeen(e){this.isVisible=e.at(-1)?.isIntersecting??!0,this.isVisible&&this.isStale&&this.requestDraw()}requestDraw(){this.isStale=!0,this.isVisible&&0===this.frame&&!this.isDisposed&&(this.frame=requestAnimationFrame(()=>{this.frame=0,this.draw()}))}draw(){if(!this.node.isConnected)return;this.isStale=!1;let e=this.view,t="live"===this.connection;if(this.layout.show(e,t),this.controls.show(e,t),e.points.length+e.evalPoints.length!==0)if(null===this.plot)this.askForPlot();else{var n;let t,i,s;this.colours??(this.colours=(n=this.node,(t=document.createElement("span")).hidden=!0,n.append(t),s={train:(i=e=>(t.style.color=`var(--jp-twinkle-${e})`,getComputedStyle(t).color))("train"),eval:i("eval"),text:i("text"),muted:i("muted"),grid:i("grid"),background:i("background")},t.remove(),s)),this.plot.draw(e,this.colours)}}askForPlot(){this.isPlotAsked||(this.isPlotAsked=!0,this.options.createPlot(this.layout.plot).then(e=>{this.isDisposed?e.dispose():(this.plot=e,this.requestDraw())}))}}function el(e){return`Saved picture; ${e.charAt(0).toLowerCase()}${e.slice(1).replace(/\.$/,"")}`}let ep={displaylogo:!1,displayModeBar:"hover",modeBarButtonsToRemove:["select2d","lasso2d","toImage","autoScale2d"],responsive:!1,showTips:!1};class ed{constructor(e,t){this.host=e,this.plotly=t,this.isDrawn=!1}draw(e,t){var n,i,s,r;let o,a,l,p;this.isDrawn=!0,this.plotly.react(this.host,(n=e,i=t,a=(o=v(n)).smoothed.length>0,l="step %{x}: %{y:.4f}<extra>%{fullData.name}</extra>",[{...ec(o.points),name:"train",mode:1===o.points.length?"markers":"lines",opacity:a?.4:1,line:{color:i.train,width:a?1:2},hovertemplate:l},{...ec(o.smoothed),name:"train, smoothed",mode:"lines",visible:a,line:{color:i.train,width:2},hoverinfo:"skip"},{...ec(o.evalPoints),name:"held-out",mode:"lines+markers",line:{color:i.eval,width:1.5},marker:{size:7},hovertemplate:l}]),(s=e,p={automargin:!0,gridcolor:(r=t).grid,zeroline:!1,linecolor:r.grid,tickfont:{color:r.muted}},{uirevision:"run",autosize:!0,margin:{l:44,r:12,t:12,b:36},showlegend:!1,hovermode:"closest",dragmode:"zoom",paper_bgcolor:"rgba(0,0,0,0)",plot_bgcolor:"rgba(0,0,0,0)",font:{color:r.text,size:11},hoverlabel:{bgcolor:r.background,bordercolor:r.grid,font:{color:r.text}},modebar:{color:r.muted,activecolor:r.text,bgcolor:"rgba(0,0,0,0)"},xaxis:{...p,showgrid:!1,title:{text:"step",font:{color:r.muted,size:11},standoff:4},autorangeoptions:{include:[0,k(s)]},tickformat:",d"},yaxis:{...p}}),ep)}resize(){this.isDrawn&&this.host.clientWidth>0&&this.plotly.Plots.resize(this.host)}dispose(){this.plotly.purge(this.host)}}let eh=async e=>new ed(e,await n.e(424).then(n.t.bind(n,19,23)));function ec(e){return{x:e.map(e=>e[0]),y:e.map(e=>e[1])}}var eu=n(901),em=n(904);class ew extends Error{constructor(e){super([e.message,e.hint].filter(e=>""!==e).join(" ")),this.reason=e,this.name="CommandFailedError"}}let eg="twinkle-jupyter";class ef{constructor(e,t){this.runId=e,this.settings=t}subscribe(e,t){return new ev(this.runId,this.settings,e,t)}async command(e){let t,n=eu.URLExt.join(eg,"api/runs",encodeURIComponent(this.runId),e),i=eu.URLExt.join(this.settings.baseUrl,n);try{t=await em.ServerConnection.makeRequest(i,{method:"POST"},this.settings)}catch{throw new ew({code:"service_unavailable",message:"The Jupyter server does not answer.",hint:""})}if(!t.ok){var s;throw new ew(U(E(s=ek(await t.text()))?s.error:null))}}}class ev{constructor(e,t,n,i){this.runId=e,this.settings=t,this.after=n,this.onNotice=i,this.socket=null,this.wait=250,this.isOver=!1,this.wasOpen=!1,this.problem="",this.onOnline=()=>{void 0!==this.timer&&null===this.socket&&(clearTimeout(this.timer),this.wait=250,this.connect())},window.addEventListener("online",this.onOnline),this.timer=setTimeout(()=>this.connect(),0)}dispose(){this.finish()}connect(){this.timer=void 0;let{settings:e}=this,t=eu.URLExt.join(eg,"runs",encodeURIComponent(this.runId),"events"),n=e.appendToken&&e.token?`&token=${encodeURIComponent(e.token)}`:"",i=new e.WebSocket(`${eu.URLExt.join(e.wsUrl,t)}?after=${this.after}${n}`);i.onopen=()=>{this.wasOpen=!0},i.onmessage=e=>this.onMessage(e.data),i.onclose=()=>void this.onClose(),this.socket=i}onMessage(e){var t;let n="string"==typeof e?function(e){if(!E(e))return null;switch(e.type){case"event":{var t;let n,i,s=F(e.id);return null===s?null:{type:"event",id:s,event:(i=R((n=E(t=e.event)?t:{}).at),function(e,t){switch(e.kind){case"state":let n;return L(n=e.state)?{kind:"state",at:t,state:n,step:F(e.step)??0,reason:R(e.reason)}:null;case"step":case"eval":let i,s;return i=F(e.step),s=F(e.loss),null===i||null===s?null:"eval"===e.kind?{kind:"eval",at:t,step:i,loss:s}:{kind:"step",at:t,step:i,loss:s,learningRate:F(e.learning_rate)??0,numTokens:F(e.num_tokens)??0,seconds:F(e.seconds)??0,gradNorm:F(e.grad_norm),phases:D(e,"_seconds")};case"probe":let r;return null===(r=F(e.index))?null:{kind:"probe",at:t,step:F(e.step)??0,index:r,prompt:R(e.prompt),answer:R(e.answer)};case"planned":return{kind:"planned",at:t,totalSteps:F(e.total_steps)??0,memoryBytes:F(e.memory_bytes)??0};case"notice":return{kind:"notice",at:t,step:F(e.step)??0,message:R(e.message)};case"progress":return{kind:"progress",at:t,message:R(e.message),fraction:F(e.fraction)};case"command":let o,a;return o=e.command,a=F(e.step)??0,"pause"===o||"resume"===o||"stop"===o?{kind:"command",at:t,command:o,step:a}:null;default:return null}}(n,i)??{kind:"other",at:i})}}case"connection":return{type:"connection",state:"live"===e.state?"live":"waiting",message:R(e.message)};case"end":return{type:"end"};case"error":return{type:"error",error:U(e.error)};default:return null}}(ek(e)):null;null===n||this.isOver||"event"===n.type&&n.id<=this.after||(this.note(n),("end"===(t=n).type||"error"===t.type&&"not_found"===t.error.code)&&this.finish(),this.onNotice(n))}note(e){if("error"===e.type){this.problem=e.error.message;return}this.problem="",this.wait=250,"event"===e.type&&(this.after=e.id)}async onClose(){if(this.socket=null,!this.isOver){if(!this.wasOpen&&!await this.hasRoute()){this.finish(),this.onNotice({type:"unavailable",message:"The Jupyter server runs without twinkle_jupyter"});return}this.retry()}}retry(){this.isOver||(this.onNotice({type:"connection",state:"waiting",message:this.problem||"The Jupyter server does not answer; trying again"}),this.timer=setTimeout(()=>this.connect(),this.wait),this.wait=Math.min(2*this.wait,2e3))}async hasRoute(){let e=eu.URLExt.join(this.settings.baseUrl,eg,"service");try{let t=await em.ServerConnection.makeRequest(e,{},this.settings);return 404!==t.status}catch{return!0}}finish(){this.isOver=!0,clearTimeout(this.timer),window.removeEventListener("online",this.onOnline),null!==this.socket&&(this.socket.onmessage=null,this.socket.close(),this.socket=null)}}function ek(e){try{return JSON.parse(e)}catch{return null}}class eb extends G.Widget{constructor(e,t){super(),this.context=e,this.runId="",this.panel=null,this.onThemeChanged=()=>{this.panel?.recolour()},this.addClass("jp-twinkle-output"),this.keeper=new X(()=>{var e;return null!==(e=t.resolver)&&"path"in e&&"string"==typeof e.path?e.path:""},()=>this.panel?.newest??null),e.themes?.themeChanged.connect(this.onThemeChanged)}renderModel(e){let t=B(e.data[I]);return null===t?this.node.textContent="This output names no run.":(null===this.panel||t.run_id!==this.runId?this.open(t):null!==t.snapshot&&this.panel.offerSnapshot(t.snapshot),this.keeper.attach(e)),Promise.resolve()}dispose(){this.isDisposed||(this.context.themes?.themeChanged.disconnect(this.onThemeChanged),this.keeper.dispose(),this.panel?.dispose(),super.dispose())}open(e){this.panel?.dispose(),this.runId=e.run_id,this.panel=new ea({runId:e.run_id,adapter:e.adapter,snapshot:e.snapshot,transport:new ef(e.run_id,this.context.settings),createPlot:eh,onChange:e=>this.keeper.onChange(e)}),this.node.replaceChildren(this.panel.node)}}let ej=[{id:"twinkle-jupyter:run-panel",description:"Shows a training run live, with or without a kernel.",autoStart:!0,requires:[s.IRenderMimeRegistry],optional:[i.IThemeManager],activate:(e,t,n)=>{var i;let s=e.serviceManager.serverSettings;t.addFactory((i={settings:s,themes:n},{safe:!0,mimeTypes:[I],createRenderer:e=>new eb(i,e)}),-20)}},{id:"twinkle-jupyter:run-pictures",description:"Saves the newest picture of each run with the notebook.",autoStart:!0,activate:e=>{e.docRegistry.addWidgetExtension("Notebook",{createNew:(e,t)=>{t.saveState.connect((e,n)=>{"started"===n&&function(e){for(let t of J)t.path===e&&t.write()}(t.path)})}})}}]},646(e,t,n){var i=n(601),s=n.n(i),r=n(314),o=n.n(r),a=n(724),l=o()(s());l.i(a.A),l.push([e.id,`
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
`,""]),n.d(t,{},{A:o})},314(e){e.exports=function(e){var t=[];return t.toString=function(){return this.map(function(t){var n="",i=void 0!==t[5];return t[4]&&(n+="@supports (".concat(t[4],") {")),t[2]&&(n+="@media ".concat(t[2]," {")),i&&(n+="@layer".concat(t[5].length>0?" ".concat(t[5]):""," {")),n+=e(t),i&&(n+="}"),t[2]&&(n+="}"),t[4]&&(n+="}"),n}).join("")},t.i=function(e,n,i,s,r){"string"==typeof e&&(e=[[null,e,void 0]]);var o={};if(i)for(var a=0;a<this.length;a++){var l=this[a][0];null!=l&&(o[l]=!0)}for(var p=0;p<e.length;p++){var d=[].concat(e[p]);i&&o[d[0]]||(void 0!==r&&(void 0===d[5]||(d[1]="@layer".concat(d[5].length>0?" ".concat(d[5]):""," {").concat(d[1],"}")),d[5]=r),n&&(d[2]&&(d[1]="@media ".concat(d[2]," {").concat(d[1],"}")),d[2]=n),s&&(d[4]?(d[1]="@supports (".concat(d[4],") {").concat(d[1],"}"),d[4]=s):d[4]="".concat(s)),t.push(d))}},t}},601(e){e.exports=function(e){return e[1]}},665(e,t,n){n.r(t);var i=n(72),s=n.n(i),r=n(825),o=n.n(r),a=n(659),l=n.n(a),p=n(56),d=n.n(p),h=n(540),c=n.n(h),u=n(113),m=n.n(u),w=n(646),g={};g.styleTagTransform=m(),g.setAttributes=d(),g.insert=l().bind(null,"head"),g.domAPI=o(),g.insertStyleElement=c(),s()(w.A,g);let f=w.A&&w.A.locals?w.A.locals:void 0;n.d(t,{},{default:f})},72(e){var t=[];function n(e){for(var n=-1,i=0;i<t.length;i++)if(t[i].identifier===e){n=i;break}return n}function i(e,i){for(var s={},r=[],o=0;o<e.length;o++){var a=e[o],l=i.base?a[0]+i.base:a[0],p=s[l]||0,d="".concat(l," ").concat(p);s[l]=p+1;var h=n(d),c={css:a[1],media:a[2],sourceMap:a[3],supports:a[4],layer:a[5]};if(-1!==h)t[h].references++,t[h].updater(c);else{var u=function(e,t){var n=t.domAPI(t);return n.update(e),function(t){t?(t.css!==e.css||t.media!==e.media||t.sourceMap!==e.sourceMap||t.supports!==e.supports||t.layer!==e.layer)&&n.update(e=t):n.remove()}}(c,i);i.byIndex=o,t.splice(o,0,{identifier:d,updater:u,references:1})}r.push(d)}return r}e.exports=function(e,s){var r=i(e=e||[],s=s||{});return function(e){e=e||[];for(var o=0;o<r.length;o++){var a=n(r[o]);t[a].references--}for(var l=i(e,s),p=0;p<r.length;p++){var d=n(r[p]);0===t[d].references&&(t[d].updater(),t.splice(d,1))}r=l}}},659(e){var t={};e.exports=function(e,n){var i=function(e){if(void 0===t[e]){var n=document.querySelector(e);if(window.HTMLIFrameElement&&n instanceof window.HTMLIFrameElement)try{n=n.contentDocument.head}catch(e){n=null}t[e]=n}return t[e]}(e);if(!i)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");i.appendChild(n)}},540(e){e.exports=function(e){var t=document.createElement("style");return e.setAttributes(t,e.attributes),e.insert(t,e.options),t}},56(e,t,n){e.exports=function(e){var t=n.nc;t&&e.setAttribute("nonce",t)}},825(e){e.exports=function(e){if("u"<typeof document)return{update:function(){},remove:function(){}};var t=e.insertStyleElement(e);return{update:function(n){var i,s,r;i="",n.supports&&(i+="@supports (".concat(n.supports,") {")),n.media&&(i+="@media ".concat(n.media," {")),(s=void 0!==n.layer)&&(i+="@layer".concat(n.layer.length>0?" ".concat(n.layer):""," {")),i+=n.css,s&&(i+="}"),n.media&&(i+="}"),n.supports&&(i+="}"),(r=n.sourceMap)&&"u">typeof btoa&&(i+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(r))))," */")),e.styleTagTransform(i,t,e.options)},remove:function(){var e;null===(e=t).parentNode||e.parentNode.removeChild(e)}}}},113(e){e.exports=function(e,t){if(t.styleSheet)t.styleSheet.cssText=e;else{for(;t.firstChild;)t.removeChild(t.firstChild);t.appendChild(document.createTextNode(e))}}}}]);
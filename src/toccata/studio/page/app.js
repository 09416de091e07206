import{V as Hs,T as c,o as Ps,t as Ns,G as Gt,c as qt,s as Os,d as He,i as Si,f as Ai,w as Ei,r as Is,a as Ti,n as _i,u as Ci,b as Ds,e as Ri,g as Li,D as Yt,h as Ct,q as Se,j as et,k as zi,l as Us,I as Bs,m as Ae,p as Hi,N as Qt,v as Pi,x as Ni,y as Xt,z as K,A as F,B as qe,R as A,C as Fe,E as Ks,F as Oi,H as Vs,J as Zt,K as Ee,L as W,M as Ws,O as wt,P as qs,Q as Ii,S as xt,U as Fs,W as Di,X as je,Y as Ui,Z as Bi,_ as js,$ as Ki}from"./index.js";const Ft=globalThis,Pe=Ft.ShadowRoot&&(Ft.ShadyCSS===void 0||Ft.ShadyCSS.nativeShadow)&&"adoptedStyleSheets"in Document.prototype&&"replace"in CSSStyleSheet.prototype,Ne=Symbol(),Ge=new WeakMap;let Gs=class{constructor(t,e,s){if(this._$cssResult$=!0,s!==Ne)throw Error("CSSResult is not constructable. Use `unsafeCSS` or `css` instead.");this.cssText=t,this.t=e}get styleSheet(){let t=this.o;const e=this.t;if(Pe&&t===void 0){const s=e!==void 0&&e.length===1;s&&(t=Ge.get(e)),t===void 0&&((this.o=t=new CSSStyleSheet).replaceSync(this.cssText),s&&Ge.set(e,t))}return t}toString(){return this.cssText}};const Vi=i=>new Gs(typeof i=="string"?i:i+"",void 0,Ne),L=(i,...t)=>{const e=i.length===1?i[0]:t.reduce((s,o,n)=>s+(a=>{if(a._$cssResult$===!0)return a.cssText;if(typeof a=="number")return a;throw Error("Value passed to 'css' function must be a 'css' function result: "+a+". Use 'unsafeCSS' to pass non-literal values, but take care to ensure page security.")})(o)+i[n+1],i[0]);return new Gs(e,i,Ne)},Wi=(i,t)=>{if(Pe)i.adoptedStyleSheets=t.map(e=>e instanceof CSSStyleSheet?e:e.styleSheet);else for(const e of t){const s=document.createElement("style"),o=Ft.litNonce;o!==void 0&&s.setAttribute("nonce",o),s.textContent=e.cssText,i.appendChild(s)}},Ye=Pe?i=>i:i=>i instanceof CSSStyleSheet?(t=>{let e="";for(const s of t.cssRules)e+=s.cssText;return Vi(e)})(i):i;const{is:qi,defineProperty:Fi,getOwnPropertyDescriptor:ji,getOwnPropertyNames:Gi,getOwnPropertySymbols:Yi,getPrototypeOf:Qi}=Object,ae=globalThis,Qe=ae.trustedTypes,Xi=Qe?Qe.emptyScript:"",Zi=ae.reactiveElementPolyfillSupport,Mt=(i,t)=>i,Te={toAttribute(i,t){switch(t){case Boolean:i=i?Xi:null;break;case Object:case Array:i=i==null?i:JSON.stringify(i)}return i},fromAttribute(i,t){let e=i;switch(t){case Boolean:e=i!==null;break;case Number:e=i===null?null:Number(i);break;case Object:case Array:try{e=JSON.parse(i)}catch{e=null}}return e}},Ys=(i,t)=>!qi(i,t),Xe={attribute:!0,type:String,converter:Te,reflect:!1,useDefault:!1,hasChanged:Ys};Symbol.metadata??=Symbol("metadata"),ae.litPropertyMetadata??=new WeakMap;let nt=class extends HTMLElement{static addInitializer(t){this._$Ei(),(this.l??=[]).push(t)}static get observedAttributes(){return this.finalize(),this._$Eh&&[...this._$Eh.keys()]}static createProperty(t,e=Xe){if(e.state&&(e.attribute=!1),this._$Ei(),this.prototype.hasOwnProperty(t)&&((e=Object.create(e)).wrapped=!0),this.elementProperties.set(t,e),!e.noAccessor){const s=Symbol(),o=this.getPropertyDescriptor(t,s,e);o!==void 0&&Fi(this.prototype,t,o)}}static getPropertyDescriptor(t,e,s){const{get:o,set:n}=ji(this.prototype,t)??{get(){return this[e]},set(a){this[e]=a}};return{get:o,set(a){const r=o?.call(this);n?.call(this,a),this.requestUpdate(t,r,s)},configurable:!0,enumerable:!0}}static getPropertyOptions(t){return this.elementProperties.get(t)??Xe}static _$Ei(){if(this.hasOwnProperty(Mt("elementProperties")))return;const t=Qi(this);t.finalize(),t.l!==void 0&&(this.l=[...t.l]),this.elementProperties=new Map(t.elementProperties)}static finalize(){if(this.hasOwnProperty(Mt("finalized")))return;if(this.finalized=!0,this._$Ei(),this.hasOwnProperty(Mt("properties"))){const e=this.properties,s=[...Gi(e),...Yi(e)];for(const o of s)this.createProperty(o,e[o])}const t=this[Symbol.metadata];if(t!==null){const e=litPropertyMetadata.get(t);if(e!==void 0)for(const[s,o]of e)this.elementProperties.set(s,o)}this._$Eh=new Map;for(const[e,s]of this.elementProperties){const o=this._$Eu(e,s);o!==void 0&&this._$Eh.set(o,e)}this.elementStyles=this.finalizeStyles(this.styles)}static finalizeStyles(t){const e=[];if(Array.isArray(t)){const s=new Set(t.flat(1/0).reverse());for(const o of s)e.unshift(Ye(o))}else t!==void 0&&e.push(Ye(t));return e}static _$Eu(t,e){const s=e.attribute;return s===!1?void 0:typeof s=="string"?s:typeof t=="string"?t.toLowerCase():void 0}constructor(){super(),this._$Ep=void 0,this.isUpdatePending=!1,this.hasUpdated=!1,this._$Em=null,this._$Ev()}_$Ev(){this._$ES=new Promise(t=>this.enableUpdating=t),this._$AL=new Map,this._$E_(),this.requestUpdate(),this.constructor.l?.forEach(t=>t(this))}addController(t){(this._$EO??=new Set).add(t),this.renderRoot!==void 0&&this.isConnected&&t.hostConnected?.()}removeController(t){this._$EO?.delete(t)}_$E_(){const t=new Map,e=this.constructor.elementProperties;for(const s of e.keys())this.hasOwnProperty(s)&&(t.set(s,this[s]),delete this[s]);t.size>0&&(this._$Ep=t)}createRenderRoot(){const t=this.shadowRoot??this.attachShadow(this.constructor.shadowRootOptions);return Wi(t,this.constructor.elementStyles),t}connectedCallback(){this.renderRoot??=this.createRenderRoot(),this.enableUpdating(!0),this._$EO?.forEach(t=>t.hostConnected?.())}enableUpdating(t){}disconnectedCallback(){this._$EO?.forEach(t=>t.hostDisconnected?.())}attributeChangedCallback(t,e,s){this._$AK(t,s)}_$ET(t,e){const s=this.constructor.elementProperties.get(t),o=this.constructor._$Eu(t,s);if(o!==void 0&&s.reflect===!0){const n=(s.converter?.toAttribute!==void 0?s.converter:Te).toAttribute(e,s.type);this._$Em=t,n==null?this.removeAttribute(o):this.setAttribute(o,n),this._$Em=null}}_$AK(t,e){const s=this.constructor,o=s._$Eh.get(t);if(o!==void 0&&this._$Em!==o){const n=s.getPropertyOptions(o),a=typeof n.converter=="function"?{fromAttribute:n.converter}:n.converter?.fromAttribute!==void 0?n.converter:Te;this._$Em=o;const r=a.fromAttribute(e,n.type);this[o]=r??this._$Ej?.get(o)??r,this._$Em=null}}requestUpdate(t,e,s,o=!1,n){if(t!==void 0){const a=this.constructor;if(o===!1&&(n=this[t]),s??=a.getPropertyOptions(t),!((s.hasChanged??Ys)(n,e)||s.useDefault&&s.reflect&&n===this._$Ej?.get(t)&&!this.hasAttribute(a._$Eu(t,s))))return;this.C(t,e,s)}this.isUpdatePending===!1&&(this._$ES=this._$EP())}C(t,e,{useDefault:s,reflect:o,wrapped:n},a){s&&!(this._$Ej??=new Map).has(t)&&(this._$Ej.set(t,a??e??this[t]),n!==!0||a!==void 0)||(this._$AL.has(t)||(this.hasUpdated||s||(e=void 0),this._$AL.set(t,e)),o===!0&&this._$Em!==t&&(this._$Eq??=new Set).add(t))}async _$EP(){this.isUpdatePending=!0;try{await this._$ES}catch(e){Promise.reject(e)}const t=this.scheduleUpdate();return t!=null&&await t,!this.isUpdatePending}scheduleUpdate(){return this.performUpdate()}performUpdate(){if(!this.isUpdatePending)return;if(!this.hasUpdated){if(this.renderRoot??=this.createRenderRoot(),this._$Ep){for(const[o,n]of this._$Ep)this[o]=n;this._$Ep=void 0}const s=this.constructor.elementProperties;if(s.size>0)for(const[o,n]of s){const{wrapped:a}=n,r=this[o];a!==!0||this._$AL.has(o)||r===void 0||this.C(o,void 0,n,r)}}let t=!1;const e=this._$AL;try{t=this.shouldUpdate(e),t?(this.willUpdate(e),this._$EO?.forEach(s=>s.hostUpdate?.()),this.update(e)):this._$EM()}catch(s){throw t=!1,this._$EM(),s}t&&this._$AE(e)}willUpdate(t){}_$AE(t){this._$EO?.forEach(e=>e.hostUpdated?.()),this.hasUpdated||(this.hasUpdated=!0,this.firstUpdated(t)),this.updated(t)}_$EM(){this._$AL=new Map,this.isUpdatePending=!1}get updateComplete(){return this.getUpdateComplete()}getUpdateComplete(){return this._$ES}shouldUpdate(t){return!0}update(t){this._$Eq&&=this._$Eq.forEach(e=>this._$ET(e,this[e])),this._$EM()}updated(t){}firstUpdated(t){}};nt.elementStyles=[],nt.shadowRootOptions={mode:"open"},nt[Mt("elementProperties")]=new Map,nt[Mt("finalized")]=new Map,Zi?.({ReactiveElement:nt}),(ae.reactiveElementVersions??=[]).push("2.1.2");const Oe=globalThis,Ze=i=>i,Jt=Oe.trustedTypes,Je=Jt?Jt.createPolicy("lit-html",{createHTML:i=>i}):void 0,Qs="$lit$",Y=`lit$${Math.random().toFixed(9).slice(2)}$`,Xs="?"+Y,Ji=`<${Xs}>`,it=document,Rt=()=>it.createComment(""),Lt=i=>i===null||typeof i!="object"&&typeof i!="function",Ie=Array.isArray,to=i=>Ie(i)||typeof i?.[Symbol.iterator]=="function",me=`[ 	
\f\r]`,mt=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,ts=/-->/g,es=/>/g,X=RegExp(`>|${me}(?:([^\\s"'>=/]+)(${me}*=${me}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),ss=/'/g,is=/"/g,Zs=/^(?:script|style|textarea|title)$/i,Js=i=>(t,...e)=>({_$litType$:i,strings:t,values:e}),p=Js(1),eo=Js(2),O=Symbol.for("lit-noChange"),b=Symbol.for("lit-nothing"),os=new WeakMap,tt=it.createTreeWalker(it,129);function ti(i,t){if(!Ie(i)||!i.hasOwnProperty("raw"))throw Error("invalid template strings array");return Je!==void 0?Je.createHTML(t):t}const so=(i,t)=>{const e=i.length-1,s=[];let o,n=t===2?"<svg>":t===3?"<math>":"",a=mt;for(let r=0;r<e;r++){const l=i[r];let h,d,u=-1,g=0;for(;g<l.length&&(a.lastIndex=g,d=a.exec(l),d!==null);)g=a.lastIndex,a===mt?d[1]==="!--"?a=ts:d[1]!==void 0?a=es:d[2]!==void 0?(Zs.test(d[2])&&(o=RegExp("</"+d[2],"g")),a=X):d[3]!==void 0&&(a=X):a===X?d[0]===">"?(a=o??mt,u=-1):d[1]===void 0?u=-2:(u=a.lastIndex-d[2].length,h=d[1],a=d[3]===void 0?X:d[3]==='"'?is:ss):a===is||a===ss?a=X:a===ts||a===es?a=mt:(a=X,o=void 0);const f=a===X&&i[r+1].startsWith("/>")?" ":"";n+=a===mt?l+Ji:u>=0?(s.push(h),l.slice(0,u)+Qs+l.slice(u)+Y+f):l+Y+(u===-2?r:f)}return[ti(i,n+(i[e]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),s]};class zt{constructor({strings:t,_$litType$:e},s){let o;this.parts=[];let n=0,a=0;const r=t.length-1,l=this.parts,[h,d]=so(t,e);if(this.el=zt.createElement(h,s),tt.currentNode=this.el.content,e===2||e===3){const u=this.el.content.firstChild;u.replaceWith(...u.childNodes)}for(;(o=tt.nextNode())!==null&&l.length<r;){if(o.nodeType===1){if(o.hasAttributes())for(const u of o.getAttributeNames())if(u.endsWith(Qs)){const g=d[a++],f=o.getAttribute(u).split(Y),m=/([.?@])?(.*)/.exec(g);l.push({type:1,index:n,name:m[2],strings:f,ctor:m[1]==="."?oo:m[1]==="?"?no:m[1]==="@"?ao:re}),o.removeAttribute(u)}else u.startsWith(Y)&&(l.push({type:6,index:n}),o.removeAttribute(u));if(Zs.test(o.tagName)){const u=o.textContent.split(Y),g=u.length-1;if(g>0){o.textContent=Jt?Jt.emptyScript:"";for(let f=0;f<g;f++)o.append(u[f],Rt()),tt.nextNode(),l.push({type:2,index:++n});o.append(u[g],Rt())}}}else if(o.nodeType===8)if(o.data===Xs)l.push({type:2,index:n});else{let u=-1;for(;(u=o.data.indexOf(Y,u+1))!==-1;)l.push({type:7,index:n}),u+=Y.length-1}n++}}static createElement(t,e){const s=it.createElement("template");return s.innerHTML=t,s}}function ct(i,t,e=i,s){if(t===O)return t;let o=s!==void 0?e._$Co?.[s]:e._$Cl;const n=Lt(t)?void 0:t._$litDirective$;return o?.constructor!==n&&(o?._$AO?.(!1),n===void 0?o=void 0:(o=new n(i),o._$AT(i,e,s)),s!==void 0?(e._$Co??=[])[s]=o:e._$Cl=o),o!==void 0&&(t=ct(i,o._$AS(i,t.values),o,s)),t}class io{constructor(t,e){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=e}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){const{el:{content:e},parts:s}=this._$AD,o=(t?.creationScope??it).importNode(e,!0);tt.currentNode=o;let n=tt.nextNode(),a=0,r=0,l=s[0];for(;l!==void 0;){if(a===l.index){let h;l.type===2?h=new pt(n,n.nextSibling,this,t):l.type===1?h=new l.ctor(n,l.name,l.strings,this,t):l.type===6&&(h=new ro(n,this,t)),this._$AV.push(h),l=s[++r]}a!==l?.index&&(n=tt.nextNode(),a++)}return tt.currentNode=it,o}p(t){let e=0;for(const s of this._$AV)s!==void 0&&(s.strings!==void 0?(s._$AI(t,s,e),e+=s.strings.length-2):s._$AI(t[e])),e++}}class pt{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,e,s,o){this.type=2,this._$AH=b,this._$AN=void 0,this._$AA=t,this._$AB=e,this._$AM=s,this.options=o,this._$Cv=o?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode;const e=this._$AM;return e!==void 0&&t?.nodeType===11&&(t=e.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,e=this){t=ct(this,t,e),Lt(t)?t===b||t==null||t===""?(this._$AH!==b&&this._$AR(),this._$AH=b):t!==this._$AH&&t!==O&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):to(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==b&&Lt(this._$AH)?this._$AA.nextSibling.data=t:this.T(it.createTextNode(t)),this._$AH=t}$(t){const{values:e,_$litType$:s}=t,o=typeof s=="number"?this._$AC(t):(s.el===void 0&&(s.el=zt.createElement(ti(s.h,s.h[0]),this.options)),s);if(this._$AH?._$AD===o)this._$AH.p(e);else{const n=new io(o,this),a=n.u(this.options);n.p(e),this.T(a),this._$AH=n}}_$AC(t){let e=os.get(t.strings);return e===void 0&&os.set(t.strings,e=new zt(t)),e}k(t){Ie(this._$AH)||(this._$AH=[],this._$AR());const e=this._$AH;let s,o=0;for(const n of t)o===e.length?e.push(s=new pt(this.O(Rt()),this.O(Rt()),this,this.options)):s=e[o],s._$AI(n),o++;o<e.length&&(this._$AR(s&&s._$AB.nextSibling,o),e.length=o)}_$AR(t=this._$AA.nextSibling,e){for(this._$AP?.(!1,!0,e);t!==this._$AB;){const s=Ze(t).nextSibling;Ze(t).remove(),t=s}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}}class re{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,e,s,o,n){this.type=1,this._$AH=b,this._$AN=void 0,this.element=t,this.name=e,this._$AM=o,this.options=n,s.length>2||s[0]!==""||s[1]!==""?(this._$AH=Array(s.length-1).fill(new String),this.strings=s):this._$AH=b}_$AI(t,e=this,s,o){const n=this.strings;let a=!1;if(n===void 0)t=ct(this,t,e,0),a=!Lt(t)||t!==this._$AH&&t!==O,a&&(this._$AH=t);else{const r=t;let l,h;for(t=n[0],l=0;l<n.length-1;l++)h=ct(this,r[s+l],e,l),h===O&&(h=this._$AH[l]),a||=!Lt(h)||h!==this._$AH[l],h===b?t=b:t!==b&&(t+=(h??"")+n[l+1]),this._$AH[l]=h}a&&!o&&this.j(t)}j(t){t===b?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}}class oo extends re{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===b?void 0:t}}class no extends re{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==b)}}class ao extends re{constructor(t,e,s,o,n){super(t,e,s,o,n),this.type=5}_$AI(t,e=this){if((t=ct(this,t,e,0)??b)===O)return;const s=this._$AH,o=t===b&&s!==b||t.capture!==s.capture||t.once!==s.once||t.passive!==s.passive,n=t!==b&&(s===b||o);o&&this.element.removeEventListener(this.name,this,s),n&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}}class ro{constructor(t,e,s){this.element=t,this.type=6,this._$AN=void 0,this._$AM=e,this.options=s}get _$AU(){return this._$AM._$AU}_$AI(t){ct(this,t)}}const lo={I:pt},co=Oe.litHtmlPolyfillSupport;co?.(zt,pt),(Oe.litHtmlVersions??=[]).push("3.3.3");const ho=(i,t,e)=>{const s=e?.renderBefore??t;let o=s._$litPart$;if(o===void 0){const n=e?.renderBefore??null;s._$litPart$=o=new pt(t.insertBefore(Rt(),n),n,void 0,e??{})}return o._$AI(i),o};const De=globalThis;let lt=class extends nt{constructor(){super(...arguments),this.renderOptions={host:this},this._$Do=void 0}createRenderRoot(){const t=super.createRenderRoot();return this.renderOptions.renderBefore??=t.firstChild,t}update(t){const e=this.render();this.hasUpdated||(this.renderOptions.isConnected=this.isConnected),super.update(t),this._$Do=ho(e,this.renderRoot,this.renderOptions)}connectedCallback(){super.connectedCallback(),this._$Do?.setConnected(!0)}disconnectedCallback(){super.disconnectedCallback(),this._$Do?.setConnected(!1)}render(){return O}};lt._$litElement$=!0,lt.finalized=!0,De.litElementHydrateSupport?.({LitElement:lt});const uo=De.litElementPolyfillSupport;uo?.({LitElement:lt});(De.litElementVersions??=[]).push("4.2.2");const $=(i,t,e,s,o,n="always")=>({id:t,group:i,name:e,keys:s,run:o,context:n}),po=[["selectAll",["Ctrl+A"]],["copy",["Ctrl+C"]],["cut",["Ctrl+X"]],["paste",["Ctrl+V"]],["duplicate",["Ctrl+D"]],["delete",["Delete","Backspace"]],["quantise",["Q"]],["up",["Up"]],["down",["Down"]],["octaveUp",["Shift+Up"]],["octaveDown",["Shift+Down"]],["left",["Left"]],["right",["Right"]],["longer",["Shift+Right","+"]],["shorter",["Shift+Left","-"]],["louder",["Alt+Up"]],["softer",["Alt+Down"]],["nextNote",["Alt+Right"]],["previousNote",["Alt+Left"]]],fo={continue:"C",infill:"F",accompany:"A",vary:"V",harmonise:"H"},k=c.commands,Ht=[$("play","play",k.play,["Space"],i=>i.togglePlaying()),$("play","pause",k.pause,["Shift+Space"],i=>i.togglePlaying(!0)),$("play","start",k.start,["Home"],i=>be(i,0)),$("play","stopAtStart",k.stopAtStart,["Enter"],i=>i.playing.playing?i.togglePlaying():be(i,0),"plain"),$("play","end",k.end,["End"],i=>be(i,i.song?.end??0)),$("play","record",k.record,["R"],i=>i.recording.toggle()),$("play","loop",k.loop,["L"],i=>i.toggleLoop()),$("play","metronome",k.metronome,["Shift+M"],mo),$("play","where",k.where,["W"],i=>i.announcer.say(si(i,i.playing.player.position()))),$("play","follow",k.follow,["Shift+F"],i=>{i.playing.follow=!i.playing.follow,i.changed()}),...Hs.map(i=>$("ideas",i,k[i],[fo[i]],t=>t.press(i))),...[0,1,2,3,4,5,6,7,8,9].map(i=>$("ideas",`hear${i}`,k.hear(i),[String(i)],t=>t.hear(i),"ideas")),$("ideas","take",k.take,["Enter","Ctrl+Enter"],i=>i.take(),"ideas"),$("ideas","back",k.back,["Esc"],i=>i.ideas.close(),"ideas"),$("ideas","again",k.again,["G"],i=>i.again()),$("ideas","stopIdeas",k.stopIdeas,["S"],i=>i.attempt(()=>i.ideas.stopAll())),$("ideas","passage",k.passage,["P"],i=>i.hearPassage()),$("ideas","options",k.options,["O"],i=>i.set({optionsOpen:!i.view.optionsOpen})),$("ideas","onlyActive",k.onlyActive,["Y"],i=>i.set({options:{...i.view.options,onlyActive:!i.view.options.onlyActive}})),$("edit","undo",k.undo,["Ctrl+Z"],i=>i.undo()),$("edit","redo",k.redo,["Ctrl+Shift+Z","Ctrl+Y"],i=>i.redo()),...po.map(([i,t])=>$("edit",i,k[i],t,e=>e.roll?.command(i))),$("edit","selectNone",k.selectNone,["Esc"],i=>{i.roll?.command("selectNone"),i.set({hint:null})},"plain"),$("edit","lock",k.lock,["K"],i=>i.lockSelection()),$("edit","select",k.select,["1"],i=>i.set({tool:"select"}),"plain"),$("edit","draw",k.draw,["2"],i=>i.set({tool:"draw"}),"plain"),$("edit","finer",k.finer,["<"],i=>ns(i,1)),$("edit","coarser",k.coarser,[">"],i=>ns(i,-1)),$("range","rangeNext",k.rangeNext,["."],i=>_e(i,1)),$("range","rangePrevious",k.rangePrevious,[","],i=>_e(i,-1)),$("range","rangeMore",k.rangeMore,["]"],i=>as(i,1)),$("range","rangeLess",k.rangeLess,["["],i=>as(i,-1)),$("range","rangeAll",k.rangeAll,["Shift+A"],i=>i.chooseBars([1,i.song?.bars.count??1])),$("range","rangeNone",k.rangeNone,["Shift+Backspace"],i=>i.chooseBars(null)),$("tracks","mute",k.mute,["M"],i=>i.toggleIn("muted",i.view.activeTrack)),$("tracks","solo",k.solo,["Shift+S"],i=>i.toggleIn("soloed",i.view.activeTrack)),$("tracks","hide",k.hide,["Shift+H"],i=>i.toggleIn("hidden",i.view.activeTrack)),$("tracks","trackNext",k.trackNext,["PageDown"],i=>i.stepTrack(1)),$("tracks","trackPrevious",k.trackPrevious,["PageUp"],i=>i.stepTrack(-1)),$("tracks","ghosts",k.ghosts,["Shift+G"],i=>i.set({ghosts:!i.view.ghosts})),$("takes","library",k.library,["Ctrl+O"],i=>i.set({dialog:"library"})),$("takes","newPiece",k.newPiece,["Alt+N"],i=>i.set({dialog:"new"})),$("takes","open",k.open,["Shift+O"],Ps),$("takes","compare",k.compare,["B"],i=>i.switchCompared()),$("takes","star",k.star,["Ctrl+S"],bo),$("takes","midi",k.midi,["Ctrl+Shift+S"],i=>$e(i,"mid")),$("takes","wav",k.wav,[],i=>$e(i,"wav")),$("takes","png",k.png,[],i=>$e(i,"png")),$("takes","reveal",k.reveal,[],$o),$("view","takes",k.takes,["T"],i=>i.set({panel:"takes",tab:i.view.tab==="takes"?"roll":"takes"})),$("view","train",k.train,["Shift+T"],i=>i.set({panel:"train",tab:"train"})),$("view","table",k.table,["N"],i=>i.set({table:!i.view.table})),$("view","zoomIn",k.zoomIn,["Z"],i=>i.roll?.zoom(1.25,1)),$("view","zoomOut",k.zoomOut,["Shift+Z"],i=>i.roll?.zoom(.8,1)),$("view","taller",k.taller,["Alt++"],i=>i.roll?.zoom(1,1.2)),$("view","flatter",k.flatter,["Alt+-"],i=>i.roll?.zoom(1,1/1.2)),$("view","fit",k.fit,["X"],i=>i.roll?.zoomToFit()),$("view","scale",k.scale,["Shift+C"],i=>i.set({scale:!i.view.scale})),$("view","theme",k.theme,["Shift+D"],Ns),$("help","help",k.help,["?","F1"],i=>i.set({dialog:"help"})),$("help","palette",k.palette,["Ctrl+K"],i=>i.set({dialog:"palette"}))];function ei(i,t){return Ht.find(({keys:e,context:s})=>e.includes(i)&&(s==="always"||s===t))}function B(i){return Ht.find(t=>t.id===i)?.keys[0]??""}function go(i){return i==="Ctrl+C"&&String(document.getSelection()??"")!==""}function si(i,t){const e=i.song?.bars.place(Math.max(0,t));return c.transport.place(e?.bar??1,e?.beat??1)}function be(i,t){i.playing.seek(t),i.roll?.reveal(t)}function mo(i){i.playing.setMetronome(!i.playing.metronome),i.announcer.say(c.notices.metronome(i.playing.metronome))}function ns(i,t){const e=Math.max(0,Math.min(Gt.length-1,i.view.grid+t));i.set({grid:e}),i.announcer.say(c.notices.grid(Gt[e]?.[0]||c.roll.off))}function _e(i,t){const{range:e}=i.view,s=i.song?.bars;if(!s)return;const o=s.at(i.playing.tick);if(!e)return i.chooseBars([o,o]);const n=e[1]-e[0]+1,a=Math.max(1,e[0]+t*n);i.chooseBars([a,a+n-1]),i.roll?.reveal(s.start(a))}function as(i,t){const{range:e}=i.view;if(!e)return _e(i,1);i.chooseBars([e[0],Math.max(e[0],e[1]+t)])}function bo(i){const t=i.piece?.head;t&&(qt(i,t,{star:!t.star}),i.announcer.say(c.notices.starred))}function $e(i,t){const e=Os(i);e&&He(i,e,t)}function $o(i){const t=Os(i);t&&i.attempt(async()=>{await i.api.reveal(t),i.notices.say(c.notices.revealed)})}const ht=typeof navigator<"u"&&/Mac|iPhone|iPad/.test(navigator.userAgent),ko={" ":"Space",Escape:"Esc",ArrowUp:"Up",ArrowDown:"Down",ArrowLeft:"Left",ArrowRight:"Right"},yo={"–":"-","—":"-","±":"+"},vo={BracketLeft:["[","{"],BracketRight:["]","}"],Comma:[",","<"],Period:[".",">"]};function wo(i,t=ht){const e=xo(i,t),s=i.altKey&&!e,o=(i.ctrlKey||i.metaKey)&&!e;let n=ko[i.key]??(e?i.key:Mo(i,s));const a=/^\p{L}$/u.test(n);a&&(n=n.toUpperCase());const r=i.shiftKey&&(a||n.length>1);return`${o?"Ctrl+":""}${s?"Alt+":""}${r?"Shift+":""}${n}`}function xo(i,t){return t?i.altKey&&/^[!-,./:-@[-`{-~]$/.test(i.key)&&i.key!=="+":i.getModifierState?.("AltGraph")??!1}function Mo({key:i,code:t,shiftKey:e},s){if(i.length>1&&i!=="Dead")return i;const o=/^(?:Digit|Numpad)(\d)$/.exec(t)?.[1];if(o!==void 0&&!e)return o;const n=s?yo[i]:void 0;if(n!==void 0)return n;const a=/^\p{L}$/u.test(i)&&!/^\p{Script=Latin}$/u.test(i),r=s&&!/^[!-~]$/.test(i),l=/^Key([A-Z])$/.exec(t)?.[1];return(a||r)&&l!==void 0?l:(a?vo[t]?.[e?1:0]:void 0)??i}function Pt(i,t){return t?i.replace("Ctrl+","⌘").replace("Shift+","⇧").replace("Alt+","⌥"):i}function Q(i){return i.isComposing||i.keyCode===229}const J={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4},le=i=>(...t)=>({_$litDirective$:i,values:t});let ce=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,e,s){this._$Ct=t,this._$AM=e,this._$Ci=s}_$AS(t,e){return this.update(t,e)}update(t,e){return this.render(...e)}};const{I:So}=lo,rs=i=>i,Ao=i=>i.strings===void 0,ls=()=>document.createComment(""),bt=(i,t,e)=>{const s=i._$AA.parentNode,o=t===void 0?i._$AB:t._$AA;if(e===void 0){const n=s.insertBefore(ls(),o),a=s.insertBefore(ls(),o);e=new So(n,a,i,i.options)}else{const n=e._$AB.nextSibling,a=e._$AM,r=a!==i;if(r){let l;e._$AQ?.(i),e._$AM=i,e._$AP!==void 0&&(l=i._$AU)!==a._$AU&&e._$AP(l)}if(n!==o||r){let l=e._$AA;for(;l!==n;){const h=rs(l).nextSibling;rs(s).insertBefore(l,o),l=h}}}return e},Z=(i,t,e=i)=>(i._$AI(t,e),i),Eo={},ii=(i,t=Eo)=>i._$AH=t,To=i=>i._$AH,ke=i=>{i._$AR(),i._$AA.remove()};const St=le(class extends ce{constructor(i){if(super(i),i.type!==J.PROPERTY&&i.type!==J.ATTRIBUTE&&i.type!==J.BOOLEAN_ATTRIBUTE)throw Error("The `live` directive is not allowed on child or event bindings");if(!Ao(i))throw Error("`live` bindings can only contain a single expression")}render(i){return i}update(i,[t]){if(t===O||t===b)return t;const e=i.element,s=i.name;if(i.type===J.PROPERTY){if(t===e[s])return O}else if(i.type===J.BOOLEAN_ATTRIBUTE){if(!!t===e.hasAttribute(s))return O}else if(i.type===J.ATTRIBUTE&&e.getAttribute(s)===t+"")return O;return ii(i),t}});let he=!1;window.addEventListener("pointerdown",()=>{he=!0},{capture:!0});window.addEventListener("keydown",()=>{he=!1},{capture:!0});const _o=()=>he;function Co(i){const{target:t}=i;t instanceof HTMLSelectElement&&he&&!t.form&&t.blur()}function Ro(i){const{target:t}=i;!(i instanceof KeyboardEvent)||Q(i)||!(t instanceof HTMLInputElement)||t.form||i.key==="Enter"&&t.type!=="checkbox"&&!t.matches("[role=combobox]")&&t.blur()}class C extends lt{constructor(){super(...arguments),this.unsubscribe=null}static{this.properties={studio:{attribute:!1}}}connectedCallback(){super.connectedCallback(),this.subscribe()}disconnectedCallback(){super.disconnectedCallback(),this.unsubscribe?.(),this.unsubscribe=null}willUpdate(){this.subscribe()}createRenderRoot(){const t=super.createRenderRoot();return t.addEventListener("change",Co),t.addEventListener("keydown",Ro),t}subscribe(){this.unsubscribe||!this.studio||!this.isConnected||(this.unsubscribe=this.studio.onChange(()=>this.requestUpdate()))}}class Lo extends ce{constructor(){super(...arguments),this.names=new Set}render(t){}update(t,[e]){const s=t.element.style;for(const o of this.names)o in e||s.removeProperty(o);for(const[o,n]of Object.entries(e))s.setProperty(o,n);this.names=new Set(Object.keys(e))}}const te=le(Lo);class zo extends ce{render(t){return t}update(t,[e]){const s=t.element;return s.matches(":focus")||s.value===e||(s.value=e),O}}const At=le(zo);function z(i,t,e){return p`<option value=${i} .selected=${St(e)}>${t}</option>`}function Ue(i){i?.focus(),i?.select()}function jt(){let i=document.activeElement;for(;i?.shadowRoot?.activeElement;)i=i.shadowRoot.activeElement;return i instanceof HTMLElement?i:null}const Ho={play:"M5 3.5v9l7.5-4.5z",stop:"M4 4h8v8H4z",start:"M3 3h1.6v10H3zM13 3.5v9L5.6 8z",record:"M8 3.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6z",loop:"M4.5 4H11a3 3 0 0 1 3 3v1h-1.6V7A1.4 1.4 0 0 0 11 5.6H4.5V8L1 4.8 4.5 1.6zM11.5 12H5a3 3 0 0 1-3-3V8h1.6v1A1.4 1.4 0 0 0 5 10.4h6.5V8l3.5 3.2-3.5 3.2z",metronome:"M6 2h4l3 12H3zM7.2 3.6 5 12.4h6L9.9 8.2 7.4 11l-1-.9 3-3.3-.8-3.2z",undo:"M6.5 3v2.6H9a4 4 0 1 1 0 8H5V12h4a2.4 2.4 0 1 0 0-4.8H6.5v2.6L2 6.4z",redo:"M9.5 3v2.6H7a4 4 0 1 0 0 8h4V12H7a2.4 2.4 0 1 1 0-4.8h2.5v2.6L14 6.4z",close:"M4.2 3.1 8 6.9l3.8-3.8 1.1 1.1L9.1 8l3.8 3.8-1.1 1.1L8 9.1l-3.8 3.8-1.1-1.1L6.9 8 3.1 4.2z",star:"m8 1.8 1.9 4 4.3.6-3.1 3 .8 4.4L8 11.7l-3.9 2.1.8-4.4-3.1-3 4.3-.6z",trash:"M6 2h4l.6 1H14v1.5H2V3h3.4zM3.2 5.5h9.6l-.8 9H4zM6 7v6h1.2V7zm2.8 0v6H10V7z",ear:"M8 1.5a4.7 4.7 0 0 1 4.7 4.7c0 2-1 2.9-1.9 3.8-.7.8-1 1.5-1.2 2.3A2.9 2.9 0 0 1 4 12h1.6a1.3 1.3 0 0 0 2.5.1c.3-1.3.8-2.1 1.6-3 .8-.9 1.4-1.5 1.4-2.9a3.1 3.1 0 0 0-6.2 0H3.3A4.7 4.7 0 0 1 8 1.5zm0 2.6a2.1 2.1 0 0 1 2 2.1c0 1.1-.8 1.7-1.6 2l-.5-1.3c.4-.2.6-.4.6-.7a.6.6 0 0 0-1.1 0H6a2.1 2.1 0 0 1 2-2.1z",pencil:"m11.3 1.8 2.9 2.9L5.6 13.3l-3.9 1 1-3.9zM10 5.3 4.1 11.2l-.3 1 1-.3L10.7 6z",eye:"M8 3.5c3.3 0 5.7 2.2 7 4.5-1.3 2.3-3.7 4.5-7 4.5S2.3 10.3 1 8c1.3-2.3 3.7-4.5 7-4.5zm0 1.7a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",eyeOff:"m2.5 1.5 12 12-1 1-2.4-2.4a8 8 0 0 1-3.1.4C4.7 12.5 2.3 10.3 1 8a10 10 0 0 1 2.6-2.9L1.5 2.5zM8 3.5c3.3 0 5.7 2.2 7 4.5a10 10 0 0 1-1.5 2L6.6 3.7A8 8 0 0 1 8 3.5z",more:"M3 6.7a1.3 1.3 0 1 1 0 2.6 1.3 1.3 0 0 1 0-2.6zm5 0a1.3 1.3 0 1 1 0 2.6 1.3 1.3 0 0 1 0-2.6zm5 0a1.3 1.3 0 1 1 0 2.6 1.3 1.3 0 0 1 0-2.6z",library:"M2 2h3v12H2zm4 0h3v12H6zm4.3.6 2.9-.8 2.9 11.6-2.9.8z",theme:"M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zm0 1.6v9.8a4.9 4.9 0 0 0 0-9.8z",plus:"M7.2 3h1.6v4.2H13v1.6H8.8V13H7.2V8.8H3V7.2h4.2z",minus:"M3 7.2h10v1.6H3z",lock:"M5 7V5a3 3 0 1 1 6 0v2h1v7H4V7zm1.5 0h3V5a1.5 1.5 0 0 0-3 0z",table:"M2 3h12v10H2zm1.5 3v1.7h3.7V6zm5.2 0v1.7h3.8V6zM3.5 9.2v2.3h3.7V9.2zm5.2 0v2.3h3.8V9.2z",down:"M3.5 5.5 8 10l4.5-4.5 1 1L8 12 2.5 6.5z",check:"m6.3 12.3-4-4 1.2-1.2 2.8 2.8L12.5 3.7l1.2 1.2z",search:"M7 2a5 5 0 0 1 4 8l3.5 3.5-1.1 1.1L9.9 11A5 5 0 1 1 7 2zm0 1.6a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8z",folder:"M1.5 3h5l1.5 2h6.5v8.5h-13z",train:"M2 13V3h1.5v8.5H14V13zm3-3.5 3-3.6 2 2L13.5 4l1 1-4.4 5-2-2L6.2 10.5z"};function M(i){return eo`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${Ho[i]}></path></svg>`}const N=L`
  :host {
    box-sizing: border-box;
  }
  *,
  *::before,
  *::after {
    box-sizing: inherit;
  }
  [hidden] {
    display: none !important;
  }
  button,
  select,
  input,
  textarea {
    font: inherit;
    color: inherit;
  }
  button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 6px;
    min-height: var(--control);
    padding: 0 10px;
    border: 1px solid transparent;
    border-radius: var(--radius);
    background: transparent;
    cursor: pointer;
    white-space: nowrap;
    transition: background var(--quick);
  }
  button:hover {
    background: var(--sunken);
  }
  button.icon-only {
    width: var(--control);
    padding: 0;
    flex: none;
  }
  button.outlined {
    border-color: var(--line);
    background: var(--raised);
  }
  button.outlined:hover {
    border-color: var(--line-strong);
  }
  button.primary {
    background: var(--accent);
    color: var(--accent-ink);
    font-weight: 600;
  }
  button.primary:hover {
    filter: brightness(1.08);
  }
  button[aria-pressed="true"],
  button[aria-expanded="true"].mark {
    background: var(--accent-soft);
    color: var(--accent);
  }
  button.unable {
    color: var(--ink-2);
  }
  button.small {
    min-height: 24px;
    padding: 0 7px;
    font-size: var(--size-small);
  }
  button.small.icon-only {
    width: 24px;
    padding: 0;
  }
  a {
    color: var(--accent);
  }
  :focus {
    outline: none;
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 1px;
  }
  .icon {
    width: 16px;
    height: 16px;
    flex: none;
    fill: currentColor;
    fill-rule: evenodd;
  }
  input:not([type="checkbox"], [type="range"], [type="radio"]),
  select,
  textarea {
    min-height: var(--control);
    padding: 0 8px;
    border: 1px solid var(--line-strong);
    border-radius: var(--radius);
    background: var(--raised);
    color: var(--ink);
    min-width: 0;
  }
  input[type="checkbox"],
  input[type="range"],
  input[type="radio"] {
    accent-color: var(--accent);
  }
  kbd {
    font: 600 11px / 1 var(--mono);
    padding: 3px 5px;
    border-radius: 4px;
    color: var(--ink-2);
    border: 1px solid var(--line);
    background: var(--ground);
    min-width: 18px;
    text-align: center;
  }
  h2 {
    margin: 0;
    font-size: var(--size);
    font-weight: 600;
  }
  h3 {
    margin: 0;
    font-size: var(--size-small);
    font-weight: 600;
    color: var(--ink-2);
  }
  p {
    margin: 0;
  }
  .muted {
    color: var(--ink-2);
  }
  .small {
    font-size: var(--size-small);
  }
  .row {
    display: flex;
    align-items: center;
    gap: var(--space-2);
  }
  .spread {
    flex: 1;
  }
  .cut {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    min-width: 0;
  }
  .mono {
    font-family: var(--mono);
    font-variant-numeric: tabular-nums;
  }
  .unseen {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  @media (pointer: coarse) {
    button.small {
      min-height: 36px;
    }
    button.small.icon-only {
      width: 36px;
    }
  }
`;function _(i){return i.target.value}const oi=L`
  label {
    display: grid;
    gap: 2px;
  }
  label > span {
    color: var(--ink-2);
    font-size: var(--size-small);
  }
  .two {
    display: grid;
    grid-template-columns: 1fr 1fr;
    gap: 10px;
  }
`;function P(i,t){customElements.get(i)||customElements.define(i,t)}const Po=45e3;class No extends C{constructor(){super(...arguments),this.links=new Map}static{this.styles=[N,L`
      :host {
        display: block;
        background: var(--idea-soft);
        border-top: 1px solid var(--line);
      }
      .bar {
        display: flex;
        flex-wrap: wrap;
        gap: 6px;
        padding: 6px 10px;
      }
      .chips {
        display: flex;
        gap: 6px;
        flex: 1 0 auto;
        max-width: 100%;
        overflow-x: auto;
        scrollbar-width: none;
        padding: 2px;
      }
      .acts {
        display: flex;
        gap: 4px;
        padding: 2px 0;
      }
      .chip,
      .acts button {
        flex: none;
        padding: 0 8px;
      }
      .chip {
        border-color: var(--line-strong);
        background: var(--surface);
        position: relative;
        overflow: hidden;
      }
      .chip[aria-pressed="true"] {
        background: var(--idea);
        color: var(--surface);
        border-color: var(--idea);
        font-weight: 600;
      }
      .chip[aria-pressed="true"] kbd {
        background: transparent;
        color: inherit;
        border-color: currentColor;
      }
      .chip.growing {
        border-style: dashed;
        border-color: var(--idea);
      }
      .chip.failed:not([aria-pressed="true"]) {
        color: var(--bad);
      }
      .chip .state {
        font-size: var(--size-small);
        font-variant-numeric: tabular-nums;
      }
      .detail {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 2px 14px;
        padding: 0 10px 7px;
        font-size: var(--size-small);
      }
      .good {
        color: var(--good);
        font-weight: 600;
      }
      .bad {
        color: var(--bad);
        font-weight: 600;
      }
      .error {
        color: var(--bad);
      }
      @media (max-width: 760px) {
        .chips {
          flex: 1 0 100%;
        }
        .acts {
          flex: 1;
        }
        .acts .primary {
          flex: 1;
        }
      }
      @media (pointer: coarse) {
        kbd {
          display: none;
        }
      }
    `]}render(){const{ideas:t}=this.studio;if(t.chips.length===0)return b;const e=t.current,s=e!==null&&t.takeWhenDone===e.take.id;return p`<section aria-label=${c.ideas.label}>
      <div class="bar">
        <div class="chips">
          <button class="chip" aria-pressed=${t.heard===0} @click=${()=>this.studio.hear(0)}>
            <kbd>0</kbd>${c.ideas.asWas}
          </button>
          ${t.chips.map((o,n)=>this.chip(o,n+1))}
        </div>
        <div class="acts">
          ${e&&e.take.state!=="failed"?p`<button class="primary" @click=${()=>{this.studio.take()}}>${M("check")}${s?c.ideas.takeWaiting:c.ideas.take}<kbd>${B("take")}</kbd></button>`:b}
          ${t.growing.length>0?p`<button class="outlined" @click=${()=>{this.studio.attempt(()=>t.stopAll())}}>${t.growing.length>1?c.ideas.stopAll:c.ideas.stop}<kbd>${B("stopIdeas")}</kbd></button>`:b}
          <button class="outlined" @click=${()=>this.studio.again()}>
            ${c.ideas.again}<kbd>${B("again")}</kbd>
          </button>
          <button
            class="icon-only"
            aria-label=${c.commands.back}
            title=${`${c.ideas.back} (Esc)`}
            @click=${()=>t.close()}
          >
            ${M("close")}
          </button>
        </div>
      </div>
      ${e?this.detail(e):b}
    </section>`}chip(t,e){const{take:s}=t,o=s.state==="growing"?c.ideas.growing(t.bar):s.state==="failed"?c.ideas.failed:`${s.state==="stopped"?`${c.ideas.stopped}, `:""}${c.ideas.finished(Si(t.layer))}`,n=s.state==="finished"||s.state==="stopped";return p`<button
      class="chip ${s.state}"
      aria-pressed=${this.studio.ideas.heard===e}
      draggable=${n}
      title=${n?c.ideas.drag:""}
      aria-label=${`${c.ideas.chip(e)}: ${o}`}
      @pointerenter=${()=>n&&void this.prepareLink(s.id)}
      @dragstart=${a=>this.drag(a,s.id)}
      @click=${()=>this.studio.hear(e)}
    >
      <kbd>${e}</kbd><span class="state">${o}</span>
    </button>`}detail(t){const{take:e,report:s}=t;if(e.state==="growing")return p`<div class="detail">
        <span>${e.title}</span>
        <button class="small outlined" @click=${()=>{this.studio.attempt(()=>this.studio.ideas.stop(t))}}>
          ${c.ideas.stop}
        </button>
      </div>`;if(e.state==="failed")return p`<div class="detail"><span class="error">${e.error??c.ideas.failed}</span></div>`;const o=e.outsideChanged;return p`<div class="detail">
      <span class=${o===0?"good":o===null?"muted":"bad"}
        >${o===null?c.ideas.outsideUnknown:c.ideas.outside(o)}</span
      >
      ${this.originality(s)}
      ${s?.ranking?p`<span><strong>${c.ideas.rank(s.ranking.place,s.ranking.of)}</strong>${s.ranking.reasons.length>0?p`: ${s.ranking.reasons.join("; ")}`:b}</span>`:b}
      ${e.seed===null?b:p`<span class="muted">${c.ideas.seed(e.seed)}</span>`}
      <button class="small" @click=${()=>{He(this.studio,e.id,"mid")}}>${c.commands.midi}</button>
    </div>`}originality(t){if(!t)return this.studio.ideas.current?.take.state==="finished"?p`<span class="muted">${c.ideas.reportPending}</span>`:b;const e=t.originality;return e?p`<span class="row"
      ><span title=${e.source??""}
        >${Oo(e.verdict)}${e.source?p`<span class="muted"> (${e.source})</span>`:b}</span
      >
      ${e.from===null||e.to===null?b:p`<button class="small outlined" @click=${()=>this.studio.hearPassage()}>${M("ear")}${c.ideas.hearPassage}<kbd>${B("passage")}</kbd></button>`}</span
    >`:b}async prepareLink(t){if(!((this.links.get(t)?.until??0)>Date.now()))try{const{url:e}=await this.studio.api.link(t);this.links.set(t,{url:e,until:Date.now()+Po})}catch{}}drag(t,e){const s=this.links.get(e);if(!s||!t.dataTransfer)return t.preventDefault();const o=new URL(s.url,location.href).href;t.dataTransfer.effectAllowed="copy",t.dataTransfer.setData("DownloadURL",`audio/midi:${Ai(this.studio.piece?.title??"idea","mid")}:${o}`),t.dataTransfer.setData("text/uri-list",o)}}function Oo(i){return i.charAt(0).toUpperCase()+i.slice(1)}P("toccata-chips",No);class ni extends C{firstUpdated(){this.renderRoot.querySelector("[autofocus]")?.focus()}}class Io extends ni{static{this.properties={...C.properties,renaming:{state:!0}}}static{this.styles=[N,L`
      .wrap {
        flex-wrap: wrap;
      }
      form {
        margin-top: 12px;
      }
      .pieces {
        list-style: none;
        margin: 8px 0 0;
        padding: 0;
      }
      .pieces li {
        display: flex;
        align-items: center;
        gap: 4px;
        border-top: 1px solid var(--line);
        padding: 4px 0;
      }
      .pieces .open {
        flex: 1;
        min-width: 0;
        justify-content: flex-start;
        text-align: left;
        display: block;
        padding: 4px 8px;
      }
      .pieces .title {
        display: block;
        font-weight: 600;
      }
    `]}constructor(){super(),this.renaming=null}firstUpdated(){super.firstUpdated(),this.studio.refresh().catch(()=>{})}render(){const{studio:t}=this,e=(t.server?.pieces??[]).filter(({deleted:s})=>!s).sort((s,o)=>o.changed-s.changed);return p`<div class="row wrap">
        <button class="primary" autofocus @click=${()=>t.set({dialog:"new"})}>
          ${M("plus")}${c.library.new}
        </button>
        <button class="outlined" @click=${()=>{Ps(t)}}>${c.library.open}</button>
        <span class="muted small">${c.library.drop}</span>
      </div>
      ${this.writing()}
      ${e.length===0?p`<p class="muted">${c.library.none}</p>`:b}
      <ul class="pieces">
        ${e.map(s=>this.piece(s))}
      </ul>
      <p class="muted small">${c.library.folder(t.server?.library??"")}</p>`}writing(){const{studio:t}=this,{model:e}=t;return e?.verbs.includes("generate")?p`<form
      class="row wrap"
      @submit=${s=>{s.preventDefault(),Ei(t,String(new FormData(s.target).get("style")??""))}}
    >
      <span class="muted small">${c.library.writeHint}</span>
      ${e.styles.length===0?b:p`<select name="style" aria-label=${c.library.style}>
              <option value="">${c.library.anyStyle}</option>
              ${e.styles.map(s=>p`<option>${s}</option>`)}
            </select>`}
      <button class="outlined" type="submit">${M("pencil")}${c.library.write}</button>
    </form>`:b}piece(t){const{studio:e}=this,s=e.piece?.id===t.id;return p`<li>
      ${this.renaming===t.id?p`<input
              class="open"
              aria-label=${c.library.rename}
              .value=${t.title}
              @change=${o=>{Is(e,t.id,_(o))}}
              @blur=${()=>{this.renaming=null}}
              @keydown=${o=>this.renameKey(o,t)}
            />`:p`<button
              class="open"
              data-piece=${t.id}
              @click=${()=>{e.attempt(async()=>{await e.openPiece(t.id),e.set({dialog:null})})}}
            >
              <span class="title cut">${t.title}</span
              ><span class="muted small"
                >${c.library.bars(t.bars)} ·
                ${new Date(t.changed*(t.changed<1e11?1e3:1)).toLocaleString()}${s?` · ${c.library.current}`:""}</span
              >
            </button>`}
      <button
        class="small icon-only"
        aria-label=${`${c.library.rename} ${t.title}`}
        title=${c.library.rename}
        @click=${()=>this.rename(t.id)}
      >
        ${M("pencil")}
      </button>
      <button
        class="small icon-only"
        aria-label=${`${c.library.delete} ${t.title}`}
        title=${c.library.delete}
        @click=${()=>{Ti(e,t)}}
      >
        ${M("trash")}
      </button>
    </li>`}renameKey(t,e){const s=t.target;Q(t)||t.key!=="Enter"&&t.key!=="Escape"||(t.preventDefault(),t.key==="Escape"&&(s.value=e.title),s.blur(),this.updateComplete.then(()=>this.renderRoot.querySelector(`[data-piece="${CSS.escape(e.id)}"]`)?.focus()))}rename(t){this.renaming=t,this.updateComplete.then(()=>Ue(this.renderRoot.querySelector("input.open")))}}class Do extends ni{static{this.styles=[N,oi,L`
      form {
        display: grid;
        gap: 10px;
      }
    `]}render(){return p`<form
      @submit=${t=>{t.preventDefault();const e=new FormData(t.target),[s,o]=String(e.get("meter")).split("/").map(Number);_i(this.studio,String(e.get("title")??""),Number(e.get("tempo")),[s??4,o??4])}}
    >
      <label
        ><span>${c.library.title}</span><input name="title" autofocus maxlength="200" placeholder=${c.library.untitled}
      /></label>
      <div class="two">
        <label
          ><span>${c.library.tempo}</span><input name="tempo" type="number" min="20" max="400" value="100" required
        /></label>
        <label
          ><span>${c.library.meter}</span
          ><select name="meter">
            ${["4/4","3/4","2/4","2/2","6/8"].map(t=>p`<option>${t}</option>`)}
          </select></label
        >
      </div>
      <div><button class="primary" type="submit">${c.library.create}</button></div>
    </form>`}}P("toccata-library",Io);P("toccata-new-piece",Do);const cs=(i,t,e)=>{const s=new Map;for(let o=t;o<=e;o++)s.set(i[o],o);return s},de=le(class extends ce{constructor(i){if(super(i),i.type!==J.CHILD)throw Error("repeat() can only be used in text expressions")}dt(i,t,e){let s;e===void 0?e=t:t!==void 0&&(s=t);const o=[],n=[];let a=0;for(const r of i)o[a]=s?s(r,a):a,n[a]=e(r,a),a++;return{values:n,keys:o}}render(i,t,e){return this.dt(i,t,e).values}update(i,[t,e,s]){const o=To(i),{values:n,keys:a}=this.dt(t,e,s);if(!Array.isArray(o))return this.ut=a,n;const r=this.ut??=[],l=[];let h,d,u=0,g=o.length-1,f=0,m=n.length-1;for(;u<=g&&f<=m;)if(o[u]===null)u++;else if(o[g]===null)g--;else if(r[u]===a[f])l[f]=Z(o[u],n[f]),u++,f++;else if(r[g]===a[m])l[m]=Z(o[g],n[m]),g--,m--;else if(r[u]===a[m])l[m]=Z(o[u],n[m]),bt(i,l[m+1],o[u]),u++,m--;else if(r[g]===a[f])l[f]=Z(o[g],n[f]),bt(i,o[u],o[g]),g--,f++;else if(h===void 0&&(h=cs(a,f,m),d=cs(r,u,g)),h.has(r[u]))if(h.has(r[g])){const y=d.get(a[f]),w=y!==void 0?o[y]:null;if(w===null){const S=bt(i,o[u]);Z(S,n[f]),l[f]=S}else l[f]=Z(w,n[f]),bt(i,o[u],w),o[y]=null;f++}else ke(o[g]),g--;else ke(o[u]),u++;for(;f<=m;){const y=bt(i,l[m+1]);Z(y,n[f]),l[f++]=y}for(;u<=g;){const y=o[u++];y!==null&&ke(y)}return this.ut=a,ii(i,l),O}}),ye=new Set;class Uo extends C{static{this.properties={...C.properties,behind:{attribute:!1}}}static{this.styles=[N,L`
      section {
        display: grid;
        gap: 8px;
      }
      :host {
        position: fixed;
        right: 12px;
        bottom: 12px;
        z-index: 20;
        display: grid;
        gap: 8px;
        width: 272px;
        pointer-events: none;
      }
      .message {
        pointer-events: auto;
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: flex-end;
        gap: 4px 8px;
        padding: 8px 8px 8px 12px;
        border-radius: var(--radius);
        background: var(--raised);
        border: 1px solid var(--line);
        box-shadow: var(--shadow);
      }
      .message p {
        flex: 1 1 160px;
        overflow-wrap: anywhere;
      }
      .error {
        border-left: 4px solid var(--bad);
      }
      .gone {
        border-left: 4px solid var(--bad);
      }
      @media (max-width: 1100px) {
        :host {
          width: 226px;
        }
      }
      @media (max-width: 760px) {
        :host {
          bottom: 60px;
          width: calc(100vw - 24px);
        }
      }
    `]}constructor(){super(),this.behind=!1}connectedCallback(){super.connectedCallback(),ye.add(this),this.studio.announcer.show=t=>{for(const e of ye)e.say(t)}}disconnectedCallback(){super.disconnectedCallback(),ye.delete(this)}say(t){const e=this.renderRoot.querySelector(".live");e&&(e.textContent=t)}render(){return p`<div class="live unseen" role="status" aria-live="polite"></div>
      ${this.behind?b:this.list()}`}list(){const{studio:t}=this;return p`<section aria-label=${c.notices.label}>
      ${t.connected?b:p`<div class="message gone" role="alert"><p>${t.shutOut?c.notices.shutOut:c.notices.goneLine}</p></div>`}
      ${de(t.notices.list,({id:e})=>e,e=>this.message(e))}
    </section>`}message(t){const{notices:e}=this.studio,{action:s}=t;return p`<div class="message ${t.kind}" role=${t.kind==="error"?"alert":"status"}>
      <p>${t.text}</p>
      ${s?p`<button
              class="small outlined"
              @click=${()=>{e.dismiss(t),s.run()}}
            >
              ${s.label}
            </button>`:b}
      <button
        class="small icon-only"
        aria-label=${c.notices.dismiss}
        title=${c.notices.dismiss}
        @click=${()=>e.dismiss(t)}
      >
        ${M("close")}
      </button>
    </div>`}}P("toccata-messages",Uo);class Bo extends C{constructor(){super(),this.returnTo=null,this.close=()=>{this.studio.set({dialog:null})},this.words="",this.at=0,this.loading=null}static{this.properties={...C.properties,words:{state:!0},at:{state:!0},loading:{state:!0}}}static{this.styles=[N,L`
      dialog {
        border: 0;
        padding: 0;
        border-radius: var(--radius-big);
        background: var(--raised);
        color: var(--ink);
        box-shadow: var(--shadow);
        width: min(640px, calc(100vw - 24px));
        max-height: min(80vh, 720px);
      }
      dialog[open] {
        display: flex;
        flex-direction: column;
      }
      dialog::backdrop {
        background: var(--shade);
      }
      .head {
        display: flex;
        align-items: center;
        padding: 10px 8px 6px 16px;
        gap: 8px;
      }
      .head h2 {
        font-size: var(--size-big);
      }
      .body {
        padding: 0 16px 16px;
        overflow: auto;
      }
      .wrap {
        flex-wrap: wrap;
      }
      .search {
        display: flex;
        align-items: center;
        gap: 8px;
        padding: 10px 12px;
        border-bottom: 1px solid var(--line);
      }
      .search input {
        flex: 1;
        border: 0;
        background: none;
        font-size: var(--size-big);
        outline-offset: 4px;
      }
      .list {
        overflow: auto;
        padding: 6px;
        margin: 0;
        list-style: none;
      }
      .list li {
        display: flex;
        align-items: center;
        gap: 8px;
        padding: 6px 10px;
        border-radius: var(--radius);
        cursor: pointer;
      }
      .list li[aria-selected="true"] {
        background: var(--accent-soft);
      }
      .groups {
        columns: 2;
        column-gap: 28px;
      }
      .groups section {
        break-inside: avoid;
        margin-bottom: 14px;
      }
      .groups h3 {
        margin-bottom: 4px;
      }
      .groups div {
        display: flex;
        gap: 8px;
        justify-content: space-between;
        padding: 2px 0;
      }
      .tips {
        margin: 0 0 14px;
        padding: 10px 10px 10px 30px;
        background: var(--accent-soft);
        border-radius: var(--radius);
      }
      .keys {
        display: flex;
        gap: 4px;
        flex: none;
        align-items: start;
      }
      @media (max-width: 560px) {
        .groups {
          columns: 1;
        }
      }
    `]}willUpdate(){super.willUpdate(),this.studio.view.dialog===null&&this.renderRoot.querySelector("dialog")?.close()}updated(){const t=this.renderRoot.querySelector("dialog");t||(this.returnTo?.focus(),this.returnTo=null),!(!t||t.open)&&(this.words="",this.at=0,this.returnTo??=jt(),t.showModal(),t.querySelector("[autofocus]")?.focus())}closed(t){const{currentTarget:e}=t;e instanceof HTMLDialogElement&&e.isConnected&&!e.open&&this.close()}render(){switch(this.studio.view.dialog){case"help":return this.frame(c.help.title,this.help());case"palette":return this.palette();case"library":return this.frame(c.library.label,p`<toccata-library .studio=${this.studio}></toccata-library>`);case"new":return this.frame(c.library.new,p`<toccata-new-piece .studio=${this.studio}></toccata-new-piece>`);case"soundfont":return this.frame(c.transport.sound,this.sound());default:return b}}frame(t,e){return p`<dialog
      aria-label=${t}
      @cancel=${this.leave}
      @close=${this.closed}
      @click=${this.leave}
      @keydown=${s=>s.stopPropagation()}
    >
      <div class="head">
        <h2>${t}</h2>
        <span class="spread"></span>
        <button class="icon-only" aria-label=${c.help.close} title=${c.help.close} @click=${this.close}>
          ${M("close")}
        </button>
      </div>
      <div class="body" tabindex="-1">${e}</div>
      <toccata-messages .studio=${this.studio}></toccata-messages>
    </dialog>`}leave(t){t.target===t.currentTarget&&this.close()}help(){const t=Object.entries(c.groups).map(([e,s])=>({title:s,commands:Ht.filter(o=>o.group===e&&o.keys.length>0&&!/^hear[2-9]$/.test(o.id))}));return p`<h3>${c.help.three}</h3>
      <ol class="tips" tabindex="0">
        ${c.help.tips.map(e=>p`<li>${e}</li>`)}
      </ol>
      <div class="groups">
        ${t.map(({title:e,commands:s})=>p`<section>
              <h3>${e}</h3>
              ${s.map(o=>p`<div><span>${o.id==="hear1"?c.help.hearAny:o.name}</span>${o.id==="hear1"?p`<span class="keys"><kbd>1–9</kbd></span>`:hs(o)}</div>`)}
            </section>`)}
      </div>`}found(){const t=this.words.toLowerCase().split(/\s+/).filter(Boolean);return Ht.filter(({name:e,group:s})=>t.every(o=>`${e} ${c.groups[s]}`.toLowerCase().includes(o)))}palette(){const t=this.found();return p`<dialog
      aria-label=${c.commands.palette}
      @cancel=${this.leave}
      @close=${this.closed}
      @click=${this.leave}
      @keydown=${this.paletteKey}
    >
      <div class="search">
        ${M("search")}<input
          autofocus
          role="combobox"
          aria-expanded="true"
          aria-controls="found"
          aria-label=${c.help.filter}
          placeholder=${c.help.filter}
          aria-activedescendant=${t[this.at]?`found-${this.at}`:b}
          .value=${this.words}
          @input=${e=>{this.words=_(e),this.at=0}}
        />
      </div>
      <ul class="list" id="found" role="listbox" aria-label=${c.commands.palette}>
        ${t.map((e,s)=>p`<li
              id=${`found-${s}`}
              role="option"
              aria-selected=${s===this.at}
              @click=${()=>this.run(e)}
            >
              <span class="spread">${e.name}</span
              ><span class="muted small">${c.groups[e.group]}</span>${hs(e)}
            </li>`)}
        ${t.length===0?p`<li class="muted">${c.help.nothing}</li>`:b}
      </ul>
      <toccata-messages .studio=${this.studio}></toccata-messages>
    </dialog>`}paletteKey(t){if(t.stopPropagation(),Q(t))return;const e=this.found(),s={ArrowDown:1,ArrowUp:-1}[t.key],o=e[this.at];if(s!==void 0)this.at=Math.max(0,Math.min(e.length-1,this.at+s)),this.updateComplete.then(()=>this.renderRoot.querySelector("[aria-selected='true']")?.scrollIntoView({block:"nearest"}));else if(t.key==="Enter"&&o)this.run(o);else return;t.preventDefault()}run(t){this.close(),t.run(this.studio)}sound(){const{studio:t}=this,e=t.server?.soundfont??null,s=o=>{this.loading=o,o.finally(()=>{this.loading===o&&(this.loading=null,t.view.dialog==="soundfont"&&this.close())})};return p`<p class="muted">${c.transport.soundNote}</p>
      <br />
      <div class="row">
        ${e?p`<button class="primary" autofocus @click=${()=>s(Ci(t))}>${c.transport.useLibrary(e.name)}</button>`:b}
        <button
          class="outlined"
          @click=${()=>{Ds(".sf2,.sf3",!1,!1).then(([o])=>o&&s(Ri(t,o.name,()=>o.arrayBuffer())))}}
        >
          ${c.transport.fromFile}
        </button>
        <button
          class="outlined"
          @click=${()=>{this.loading=null,Li(t),this.close()}}
        >
          ${c.transport.builtIn}
        </button>
        ${this.loading?p`<span class="muted" role="status">${c.transport.loading}</span>`:b}
      </div>`}}function hs(i){return p`<span class="keys"
    >${i.keys.slice(0,2).map(t=>p`<kbd>${Pt(t,ht)}</kbd>`)}</span
  >`}P("toccata-dialogs",Bo);const Ko=["style","key","tempo","chords","programs","density","register","polyphony","temperature","end","n","bars","keep","strength","voices","seed"];function ds(i){return Ko.filter(t=>String(i[t])!==String(Yt[t])).map(t=>({name:t,text:Vo(t,i),without:{[t]:Yt[t]}}))}function Vo(i,t){const e=t[i];return i==="programs"?t.programs.map(s=>Ct(s)).join(", "):i==="keep"?c.settings.keep(c.options.keeps[t.keep]):i==="strength"?c.settings.strength(Math.round(t.strength*100)):i==="end"?c.settings.end:`${c.settings[i]} ${Array.isArray(e)?e.join(", "):String(e)}`.trim()}class Wo extends C{constructor(){super(),this.picking=!1,this.returnTo=null,this.other=""}static{this.properties={...C.properties,other:{state:!0}}}static{this.styles=[N,L`
      :host {
        display: block;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
      }
      .strip {
        display: flex;
        align-items: center;
        gap: 6px;
        padding: 6px 10px;
        min-height: 46px;
        overflow-x: auto;
        scrollbar-width: none;
      }
      .range {
        display: flex;
        align-items: center;
        min-width: 216px;
        font-weight: 600;
        flex: none;
      }
      .range.none {
        color: var(--ink-2);
        font-weight: 400;
      }
      .verbs {
        display: flex;
        gap: 6px;
      }
      .verbs button {
        flex: none;
      }
      .verbs button:not(.unable) kbd {
        color: var(--accent);
        border-color: var(--accent-soft);
        background: var(--accent-soft);
      }
      .acting {
        display: flex;
        align-items: center;
        gap: 6px;
        padding: 0 10px 6px;
        overflow-x: auto;
        scrollbar-width: none;
        white-space: nowrap;
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      .acting > * {
        flex: none;
      }
      .dot {
        display: none;
        width: 8px;
        height: 8px;
        border-radius: 50%;
        background: var(--accent);
      }
      .hint {
        color: var(--bad);
        padding: 0 10px 8px;
      }
      .picker {
        display: flex;
        align-items: center;
        gap: 6px;
        padding: 0 10px 8px;
        flex-wrap: wrap;
      }
      select.scope {
        max-width: 150px;
      }
      @media (max-width: 760px) {
        .range {
          min-width: 0;
        }
        .range .how {
          display: none;
        }
        .verbs button {
          padding: 0 8px;
        }
        .where,
        .acting {
          display: none;
        }
        .dot {
          display: inline-block;
        }
        .strip > .mark {
          position: sticky;
          right: 0;
          flex: none;
        }
        .strip > .mark:not([aria-expanded="true"]) {
          background: var(--surface);
        }
      }
      @media (pointer: coarse) {
        .verbs kbd,
        .picker kbd {
          display: none;
        }
      }
    `]}updated(){const t=this.studio.view.picker!==null;if(t!==this.picking){if(this.picking=t,this.other="",!t){(jt()===null||jt()===document.body)&&this.returnTo?.focus(),this.returnTo=null;return}this.studio.announcer.say(c.strip.pick(Se(this.studio.model?.programs??[]).map(({label:e})=>e))),!_o()&&(this.returnTo=jt(),this.renderRoot.querySelector(".picker button")?.focus())}}render(){const{studio:t}=this,{view:e,song:s}=t,o=e.activeTrack===null?void 0:s?.track(e.activeTrack),n=ds(e.options).length;return p`<section aria-label=${c.strip.label}>
      <div class="strip">
        ${this.range()}
        <div class="verbs">${Hs.map(a=>this.verb(a))}</div>
        <label class="row where"
          ><span class="muted">${c.strip.where}</span>
          <select
            class="scope"
            @change=${a=>t.set({options:{...e.options,onlyActive:_(a)==="active"}})}
          >
            ${z("all",c.strip.all,!e.options.onlyActive)}
            ${o?z("active",et(o),e.options.onlyActive):b}
          </select></label
        >
        <span class="spread"></span>
        <button
          class="mark"
          aria-expanded=${e.optionsOpen}
          @click=${()=>t.set({optionsOpen:!e.optionsOpen})}
        >
          ${c.strip.controls}${n>0?p`<span class="dot" role="img" aria-label=${c.settings.set(n)}></span>`:b}<kbd>${B("options")}</kbd>
        </button>
      </div>
      ${this.acting()} ${e.hint===null?b:p`<p class="hint" role="status">${e.hint}</p>`}
      ${e.picker?this.picker():b}
    </section>`}acting(){const{studio:t}=this,{options:e,range:s,activeTrack:o}=t.view,n=ds(e),a=this.locked();if(n.length===0&&a===0)return b;const r=e.onlyActive&&o!==null?t.song?.track(o):void 0,l=h=>t.set({options:{...e,...h}});return p`<div class="acting" role="group" aria-label=${c.settings.label}>
      ${s?this.removable(c.range.bars(...s).toLowerCase(),()=>t.chooseBars(null)):p`<span>${c.settings.all}</span>`}
      ${r?this.removable(c.settings.active(et(r)),()=>l({onlyActive:!1})):p`<span>${c.settings.tracks}</span>`}
      ${a>0?p`<span>${c.settings.locked(a)}</span>`:b}
      ${n.map(({text:h,without:d})=>this.removable(h,()=>l(d)))}
    </div>`}removable(t,e){return p`<button class="small outlined" aria-label=${c.options.remove(t)} title=${c.options.remove(t)} @click=${e}>
      ${t}${M("close")}
    </button>`}locked(){const{piece:t,view:e,song:s}=this.studio;if(!t||!s)return 0;const[o,n]=e.range?[s.bars.start(e.range[0]),s.bars.start(e.range[1]+1)]:[0,1/0],a=e.options.onlyActive?e.activeTrack:null;return t.locks.refs.filter(({track:r,tick:l,pitch:h})=>l>=o&&l<n&&(a===null||r===a)&&(s.track(r)?.notes.find(l,h)??-1)>=0).length}range(){const{range:t}=this.studio.view;return t?p`<span class="range"
      >${c.range.bars(t[0],t[1])}
      <button
        class="small icon-only"
        aria-label=${c.range.clear}
        title=${c.range.clear}
        @click=${()=>this.studio.chooseBars(null)}
      >
        ${M("close")}
      </button></span
    >`:p`<span class="range none"
        ><span>${c.range.none}<span class="how">: ${c.range.how}</span></span></span
      >`}verb(t){const{studio:e}=this,s=zi(t,e.situation),o=t==="continue"&&e.song&&Us(e.song),{name:n,hint:a}=c.verbs[o?"generate":t];return p`<button
      class="outlined ${s===null?"":"unable"}"
      title=${s??a}
      aria-expanded=${t==="accompany"?e.view.picker===t:b}
      @click=${()=>e.press(t)}
    >
      ${n}<kbd>${B(t)}</kbd>
    </button>`}picker(){const{studio:t}=this,e=t.model?.programs??[],s=(e.length>0?[...e]:[...Bs.keys()]).sort((o,n)=>o-n);return p`<div class="picker" role="group" aria-label=${c.strip.add} @keydown=${this.pickerKey}>
      <strong>${c.strip.add}</strong>
      ${Se(e).map(({label:o,program:n},a)=>p` <button class="outlined" @click=${()=>this.add(n)}>${o}<kbd>${a+1}</kbd></button>`)}
      <select
        aria-label=${c.strip.other}
        @change=${o=>{this.other=_(o)}}
      >
        ${z("",c.strip.otherNone,this.other==="")}
        ${s.map(o=>z(o,Ct(o,o===Ae),this.other===String(o)))}
      </select>
      <button class="outlined" ?disabled=${this.other===""} @click=${()=>this.add(Number(this.other))}>
        ${c.strip.add}
      </button>
      <button
        class="small icon-only"
        aria-label=${c.strip.cancel}
        title=${c.strip.cancel}
        @click=${()=>t.set({picker:null})}
      >
        ${M("close")}
      </button>
    </div>`}pickerKey(t){t.key!=="Escape"||t.defaultPrevented||(t.preventDefault(),this.studio.set({picker:null}))}add(t){this.studio.begin("accompany",[t])}}function qo(i,t){const e=Se(i.model?.programs??[])[t-1];return e&&i.begin("accompany",[e.program]),e!==void 0}P("toccata-strip",Wo);const Fo=new Set(["undo","redo","up","down","left","right","longer","shorter","louder","softer","zoomIn","zoomOut","nextNote","previousNote","rangeNext","rangePrevious","rangeMore","rangeLess"]),jo=/^(?:Shift\+)?(?:Up|Down|Left|Right|PageUp|PageDown|Home|End)$/;function Go(i,t,e){if(i.defaultPrevented||Q(i)||t.view.dialog!==null)return;const s=wo(i);if(go(s)||Xo(i.composedPath()[0],s)||e&&s==="Esc"&&t.roll?.busy)return;if(e&&t.view.picker&&Zo(t,s))return i.preventDefault();const o=ei(s,Yo(t));!o||i.repeat&&!Fo.has(o.id)||e&&!Qo(o)||(i.preventDefault(),o.run(t))}function Yo(i){return i.view.picker?"picker":i.ideas.chips.length>0?"ideas":"plain"}function Qo({context:i}){return i==="ideas"||i==="picker"}function Xo(i,t){return i instanceof HTMLElement?i.matches("input:not([type=checkbox]):not([type=range]), textarea, select")||i.isContentEditable?!["Ctrl+K","F1"].includes(t):i.matches("input[type=range], [role=table]")&&jo.test(t)?!0:i.matches("button, a, summary, input")&&/^(?:Shift\+)?(?:Enter|Space)$/.test(t):!1}function Zo(i,t){return t==="Esc"?(i.set({picker:null}),!0):/^[1-9]$/.test(t)&&qo(i,Number(t))}class Jo extends C{static{this.styles=[N,L`
      :host {
        display: inline-flex;
        min-width: 0;
      }
      select {
        min-width: 0;
        max-width: 150px;
        min-height: 28px;
      }
    `]}render(){const{studio:t}=this,e=t.server?.models??[];return p`<select
      aria-label=${c.bar.model}
      title=${c.bar.model}
      @change=${s=>{t.set({model:_(s),hint:null}),t.view.remember("model",_(s))}}
    >
      ${e.length>0?b:p`<option>${c.bar.noModel}</option>`}
      ${e.map(s=>z(s.name,s.title||s.name,s.name===t.model?.name))}
    </select>`}}P("toccata-model-chooser",Jo);const tn={density:8,register:8,polyphony:6},en=8;class sn extends C{static{this.properties={...C.properties,other:{state:!0}}}static{this.styles=[N,L`
      :host {
        display: block;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
        padding: 4px 12px 10px;
        max-height: 45dvh;
        overflow: auto;
      }
      .grid {
        display: flex;
        flex-wrap: wrap;
        gap: 8px 14px;
        align-items: end;
      }
      label {
        display: grid;
        gap: 2px;
      }
      label > span {
        font-size: var(--size-small);
        color: var(--ink-2);
      }
      label.check {
        display: flex;
        align-items: center;
        gap: 6px;
        min-height: var(--control);
      }
      label.check > span {
        color: var(--ink);
        font-size: var(--size);
      }
      input[type="number"] {
        width: 76px;
      }
      .chords {
        width: 190px;
      }
      .model {
        display: none;
      }
      @media (max-width: 760px) {
        .model {
          display: grid;
        }
      }
      .key {
        width: 100px;
      }
      select {
        max-width: 170px;
      }
      fieldset {
        border: 0;
        padding: 0;
        margin: 0;
        display: flex;
        gap: 8px;
        align-items: center;
        min-height: var(--control);
      }
      .programs {
        display: flex;
        flex-wrap: wrap;
        gap: 4px;
        align-items: end;
      }
      .note {
        margin-top: 8px;
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      details {
        margin-top: 8px;
      }
      summary {
        cursor: pointer;
        color: var(--accent);
        width: fit-content;
        border-radius: 4px;
      }
      details .grid {
        margin-top: 6px;
      }
    `]}constructor(){super(),this.other=""}get values(){return this.studio.view.options}put(t){this.studio.set({options:{...this.values,...t}})}render(){const{studio:t}=this,{model:e}=t,s=this.values,o=c.options;return p`<section aria-label=${c.strip.controls}>
      <div class="grid">
        <label class="model"
          ><span>${c.strip.model}</span><toccata-model-chooser .studio=${t}></toccata-model-chooser
        ></label>
        ${this.number("n",o.n,1,en,1,c.strip.usual)}
        <label
          ><span>${o.key}</span
          ><input
            class="key"
            .value=${At(s.key)}
            placeholder=${o.keyHint}
            @change=${n=>this.put({key:_(n).trim()})}
        /></label>
        ${this.number("tempo",o.tempo,20,400,1,c.strip.any)} ${this.level("density",o.density)}
        ${this.instruments()}
        <label
          ><span>${o.style}</span
          ><select @change=${n=>this.put({style:_(n)})}>
            ${z("",c.strip.any,s.style==="")}
            ${(e?.styles??[]).map(n=>z(n,n,n===s.style))}
          </select></label
        >
        <label
          ><span>${o.chords}</span
          ><input
            class="chords"
            .value=${At(s.chords)}
            placeholder=${o.chordsHint}
            @change=${n=>this.put({chords:_(n)})}
        /></label>
        ${this.number("temperature",o.temperature,0,10,.05,c.strip.any)}
        <button class="small" @click=${()=>t.set({options:{...Yt}})}>${o.reset}</button>
      </div>
      <details
        ?open=${t.view.moreOptions}
        @toggle=${n=>{t.view.moreOptions=n.target.open}}
      >
        <summary>${c.strip.more}</summary>
        <div class="grid">
          ${this.number("bars",o.bars,1,64,1,"")} ${this.level("register",o.register)}
          ${this.level("polyphony",o.polyphony)}
          <label class="check"
            ><input
              type="checkbox"
              .checked=${St(s.end)}
              @change=${n=>this.put({end:n.target.checked})}
            /><span>${o.end}</span></label
          >
          <label
            ><span>${c.verbs.vary.name}: ${o.keep.toLowerCase()}</span
            ><select @change=${n=>this.put({keep:_(n)})}>
              ${Object.entries(o.keeps).map(([n,a])=>z(n,a,n===s.keep))}
            </select></label
          >
          <label
            ><span>${c.verbs.vary.name}: ${o.strength.toLowerCase()} ${Math.round(s.strength*100)} %</span>
            <input
              type="range"
              min="0.05"
              max="1"
              step="0.05"
              .value=${St(String(s.strength))}
              @input=${n=>this.put({strength:Number(_(n))})}
          /></label>
          <fieldset>
            <legend class="unseen">${o.voices}</legend>
            <span class="muted">${c.verbs.harmonise.name}:</span>
            ${Object.entries(o.voiceNames).map(([n,a])=>this.voice(n,a))}
          </fieldset>
          ${this.number("seed",o.seed,0,2**31-1,1,c.strip.any)}
        </div>
        <p class="note">${o.note}</p>
      </details>
    </section>`}number(t,e,s,o,n,a){const r=this.values[t];return p`<label
      ><span>${e}</span
      ><input
        type="number"
        min=${s}
        max=${o}
        step=${n}
        placeholder=${a}
        .value=${At(r===null?"":String(r))}
        @change=${l=>{const h=_(l),d=Math.max(s,Math.min(o,Number(h)));t==="bars"?this.put({bars:h===""?Yt.bars:d}):this.put({[t]:h===""?null:d})}}
    /></label>`}level(t,e){const s=this.values[t],o=this.studio.model?.controls[t]??tn[t];return p`<label
      ><span>${e}</span
      ><select @change=${n=>this.put({[t]:_(n)===""?null:Number(_(n))})}>
        ${z("",c.strip.any,s===null)}
        ${Array.from({length:o},(n,a)=>z(a+1,on(t,a+1,o),s===a+1))}
      </select></label
    >`}instruments(){const{programs:t}=this.values,e=[...this.studio.model?.programs??[]].filter(o=>!t.includes(o)).sort((o,n)=>o-n),s=e.includes(Number(this.other))?this.other:"";return p`<div class="programs">
      <label
        ><span>${c.options.programs}</span>
        <select
          @change=${o=>{this.other=_(o)}}
        >
          ${z("",t.length===0?c.strip.any:c.strip.otherNone,s==="")}
          ${e.map(o=>z(o,Ct(o,o===Ae),s===String(o)))}
        </select></label
      >
      <button
        class="outlined"
        aria-label=${c.options.addProgram}
        ?disabled=${s===""}
        @click=${()=>this.put({programs:[...t,Number(s)]})}
      >
        ${c.strip.add}
      </button>
      ${t.map(o=>this.chosen(o))}
    </div>`}chosen(t){const e=Ct(t,t===Ae);return p`<button
      class="outlined"
      aria-label=${c.options.remove(e)}
      title=${c.options.remove(e)}
      @click=${()=>this.put({programs:this.values.programs.filter(s=>s!==t)})}
    >
      ${e}${M("close")}
    </button>`}voice(t,e){const{voices:s}=this.values;return p`<label class="check"
      ><input
        type="checkbox"
        .checked=${St(s.includes(t))}
        @change=${()=>this.put({voices:["alto","tenor","bass"].filter(o=>o===t!==s.includes(o))})}
      /><span>${e}</span></label
    >`}}function on(i,t,e){return i!=="density"?String(t):t===1?`1 ${c.options.sparse}`:t===e?`${t} ${c.options.busy}`:String(t)}P("toccata-options",sn);const nn=["C","C♯","D","D♯","E","F","F♯","G","G♯","A","A♯","B"],an=["C","D♭","D","E♭","E","F","G♭","G","A♭","A","B♭","B"],rn=[0,2,4,5,7,9,11],ln=[0,2,3,5,7,8,10];function dt(i,t=0){return`${(t<0?an:nn)[i%12]}${Math.floor(i/12)-1}`}function Et(i){return[1,3,6,8,10].includes(i%12)}function It(i,t){let e=null;for(const[s,o,n]of i){if(s>t&&e)break;(s<=t||!e)&&(e={fifths:o,minor:n>0})}return e}function cn(i){return((i.fifths*7+(i.minor?9:0))%12+12)%12}function hn(i){const t=cn(i),e=new Set((i.minor?ln:rn).map(s=>(t+s)%12));return Array.from({length:12},(s,o)=>e.has(o))}function ai(i){return Hi[i]??""}function dn(){return{song:null,activeTrack:null,ghosts:new Set,hidden:new Set,idea:null,locks:Pi,selection:new Qt,range:null,loop:null,tool:"select",grid:0,scaleTint:!1,readonly:!1,cursor:0,preview:null,velocities:null,band:null,focus:null,walking:!1,pressed:new Set}}function Nt(i){const t=o=>o.track===i.activeTrack,e=(i.song?.tracks??[]).map((o,n)=>({track:o,place:n,ghost:i.ghosts.has(o.track)&&!t(o)})).filter(({track:o})=>!i.hidden.has(o.track)||t(o)),s=o=>o.ghost?0:o.track.track===i.activeTrack?2:1;return e.sort((o,n)=>s(o)-s(n))}function ot(i){return Nt(i).filter(t=>!t.ghost)}function ue(i){if(!i.song)return null;const t=pe(i);return t||i.song.tracks.length>0?t:{track:Ni(0,!1),program:0,drum:!1,name:""}}function pe(i){return i.song?(i.activeTrack===null?void 0:i.song.track(i.activeTrack))??ot(i)[0]?.track??null:null}function Be(i){const t=new Set(ot(i).map(e=>e.track.track));return(i.song?.tracks??[]).filter(e=>t.has(e.track))}function ri(i,t,e){const{notes:s}=i;let o=Xt(s.tick,t);for(;o<s.count&&s.tick[o]===t&&s.pitch[o]<e;)o++;return o}function un({track:i,index:t}){return{track:i.track,tick:i.notes.tick[t],pitch:i.notes.pitch[t]}}function pn(i,t){const e=o=>o.track.notes.tick[o.index],s=o=>o.track.notes.pitch[o.index];return e(i)-e(t)||s(i)-s(t)||i.order-t.order}function fn(i,t,e,s){const o=Be(i),n=t?o.findIndex(r=>r.track===t.track):-1;let a=null;return o.forEach((r,l)=>{let h=t?ri(r,t.tick,t.pitch):Xt(r.notes.tick,e);if(t){const u=r.notes.tick[h]===t.tick&&r.notes.pitch[h]===t.pitch;s&&u&&l<=n&&h++,!s&&!(u&&l<n)&&h--}else s||h--;if(h<0||h>=r.notes.count)return;const d={track:r,order:l,index:h};(!a||pn(d,a)<0===s)&&(a=d)}),a?un(a):null}function gn(i,t,e){const s=i.song?.bars;if(!s)return null;const o=s.at(t.tick);let n=null,a=1/0;for(const r of Be(i))for(const l of r.notes.within(s.start(Math.max(1,o-1)),s.start(o+2))){const[h,d,u]=K(r.notes,l),g=e?u-t.pitch:t.pitch-u;if(g<=0)continue;const m=(h<=t.tick&&h+d>t.tick?0:Math.abs(h-t.tick))*128+g;m>=a||(a=m,n={track:r.track,tick:h,pitch:u})}return n}function mn(i,t){const{song:e}=i,s=e?.track(t.track),o=s?.notes.find(t.tick,t.pitch)??-1;if(!e||!s||o<0)return"";const[n,a,r]=K(s.notes,o),l=e.bars.place(n),h=e.ticksPerQuarter*4/(e.bars.meter(l.bar)[1]||4),d=l.rest>.005?bn(l.rest):"",u=Be(i),g=u.reduce((y,w)=>y+w.notes.count,0);let f=1;u.forEach((y,w)=>{const S=ri(y,n,r),T=y.notes.tick[S]===n&&y.notes.pitch[S]===r;f+=S+(T&&w<u.indexOf(s)?1:0)});const m=[s.drum?ai(r)||F.drum(r):dt(r,It(e.keys,n)?.fifths??0),F.place(l.bar,l.beat,d),$n(a/h),F.number(f,g)];return u.length>1&&m.push(s.name||F.track(e.tracks.indexOf(s)+1)),i.selection.has(t.track,t.tick,t.pitch)&&m.push(F.selected),i.locks.has(t.track,t.tick,t.pitch)&&m.push(F.locked),m.join(", ")}function bn(i){return F.partsOfBeat.find(([t])=>Math.abs(t-i)<.005)?.[1]??i.toFixed(2)}function $n(i){const t=F.lengths.find(([e])=>Math.abs(e-i)<.02*e);return t?t[1]:F.beats(Number(i.toFixed(2)))}const kn=`
:where(:root) {
  --roll-back: light-dark(#ffffff, #20232a);
  --roll-black-row: light-dark(#f1f3f6, #191b20);
  --roll-outside-scale: light-dark(#e5e8ef, #15171b);
  --roll-after-end: light-dark(rgb(90 100 120 / 0.10), rgb(0 0 0 / 0.35));
  --roll-line-bar: light-dark(#a3abb9, #656c7a);
  --roll-line-beat: light-dark(#d0d5de, #3b404b);
  --roll-line-grid: light-dark(#e7eaef, #2b2f37);
  --roll-line-octave: light-dark(#c9cfd9, #444a56);
  --roll-panel: light-dark(#f6f7f9, #272a31);
  --roll-panel-line: light-dark(#cfd4dc, #3a3e48);
  --roll-text: light-dark(#1f2430, #e8eaf0);
  --roll-text-soft: light-dark(#565e6e, #a3a9b8);
  --roll-key-white: light-dark(#ffffff, #dfe2e9);
  --roll-key-black: light-dark(#2b2f38, #17181c);
  --roll-key-text: light-dark(#3c4350, #2a2e37);
  --roll-key-down: light-dark(#7fb2ff, #6ea8ff);
  --roll-range: light-dark(#2f6fde, #7db0ff);
  --roll-loop: light-dark(#3c8d4f, #6ecb86);
  --roll-cursor: light-dark(#d92d3a, #ff6b74);
  --roll-selected: light-dark(#10131a, #ffffff);
  --roll-idea: light-dark(#b8128c, #ff7ad1);
  --roll-focus: light-dark(#1a63d8, #8ebaff);
  --roll-track-1: light-dark(#2f6fde, #6ea8ff);
  --roll-track-2: light-dark(#d06a12, #ffa75c);
  --roll-track-3: light-dark(#2a9355, #62d391);
  --roll-track-4: light-dark(#7d48c9, #b994ff);
  --roll-track-5: light-dark(#0c8c9b, #4fcfdd);
  --roll-track-6: light-dark(#c63d36, #ff8a80);
  --roll-track-7: light-dark(#817c12, #d8d05a);
  --roll-track-8: light-dark(#94603f, #d9a883);
  --roll-track-9: light-dark(#8d2f55, #e895b4);
  --roll-track-10: light-dark(#5b8a0e, #a4d65a);
}
@media (forced-colors: active) {
  :where(:root) {
    --roll-back: Canvas; --roll-black-row: Canvas; --roll-outside-scale: Canvas; --roll-panel: Canvas;
    --roll-line-bar: CanvasText; --roll-line-beat: GrayText; --roll-line-grid: Canvas; --roll-line-octave: GrayText;
    --roll-panel-line: CanvasText; --roll-text: CanvasText; --roll-text-soft: CanvasText;
    --roll-range: Highlight; --roll-loop: Highlight; --roll-cursor: Highlight; --roll-selected: Highlight;
    --roll-idea: LinkText; --roll-focus: Highlight;
  }
}`,li=10,Ot=8,yn=["back","black-row","outside-scale","after-end","line-bar","line-beat","line-grid","line-octave","panel","panel-line","text","text-soft","key-white","key-black","key-text","key-down","range","loop","cursor","selected","idea","focus"],vn=.6;function wn(i){return`var(--roll-track-${i%li+1})`}function xn(){document.adoptedStyleSheets.some(i=>i===$t)||($t||($t=new CSSStyleSheet,$t.replaceSync(kn)),document.adoptedStyleSheets=[$t,...document.adoptedStyleSheets])}let $t=null;function Mn(i){const t=getComputedStyle(i),e=a=>(i.style.color=`var(--roll-${a})`,t.color),s=Object.fromEntries(yn.map(a=>[a,e(a)])),o=ci(s.back),n=Array.from({length:li},(a,r)=>us(e(`track-${r+1}`),o));return{of:s,tracks:n,idea:us(s.idea,o)}}function ci(i){const t=i.match(/[\d.]+/g)?.map(Number)??[];return[t[0]??0,t[1]??0,t[2]??0]}function Dt(i,t,e){return[0,1,2].map(s=>Math.round(i[s]*(1-e)+t[s]*e))}function Ut(i){return`rgb(${i.join(" ")})`}function hi(i){const[t,e,s]=i.map(o=>{const n=o/255;return n<=.04045?n/12.92:((n+.055)/1.055)**2.4});return .2126*t+.7152*e+.0722*s}function Sn(i){const t=hi(i);return 1.05/(t+.05)>(t+.05)/.056?"rgb(255 255 255)":"rgb(16 19 26)"}function us(i,t){const e=ci(i),s=[12,14,20],o=Ot-1,n=Array.from({length:Ot},(a,r)=>Dt(e,t,vn*(1-r/o)));return{fill:n.map(Ut),edge:Ut(hi(t)>.3?Dt(e,s,.35):Dt(e,s,.55)),text:n.map(Sn),ghost:Ut(Dt(e,t,.74)),plain:Ut(e)}}function st(i){return Math.min(Ot-1,i>>4)}const H=128,ps=48,Ce=16,An=720,En=.05,Tn=40,_n=3,fs=1.15,gs={ratio:1,width:0,height:0,tickWidth:ps/480,keyHeight:Ce,quarter:ps,key:Ce,left:0,top:0,ticksPerQuarter:480,end:0};function rt(i,t,e){return Math.max(t,Math.min(e,i))}function Re(i,t){const e={...i,...t},s=rt(e.quarter,En,An),o=rt(e.key,_n,Tn),n=s*e.ratio/e.ticksPerQuarter,a=Math.max(2,Math.round(o*e.ratio)),r=Math.max(0,Math.ceil(e.end*n)-e.width),l=Math.max(0,H*a-e.height),h=Math.round(rt(e.left,0,r)),d=Math.round(rt(e.top,0,l));return{...e,quarter:s,key:o,tickWidth:n,keyHeight:a,left:h,top:d}}function E(i,t){return Math.round(t*i.tickWidth)-i.left}function R(i,t){return(t+i.left)/i.tickWidth}function j(i,t){return(H-1-t)*i.keyHeight-i.top}function D(i,t){return rt(H-1-Math.floor((t+i.top)/i.keyHeight),0,H-1)}function ee(i,t,e,s,o){const n=R(i,s),a=(o+i.top)/i.keyHeight,r=Re(i,{quarter:i.quarter*t,key:i.key*e});return Re(r,{left:n*r.tickWidth-s,top:a*r.keyHeight-o})}function di(i){return i>3?i-1:Math.max(1,i)}function ui(i){return i.keyHeight>5?i.keyHeight-1:i.keyHeight}function V(i,t,e,s){const o=Math.round(t*i.tickWidth),n=di(Math.round((t+e)*i.tickWidth)-o);return[o-i.left,j(i,s),n,ui(i)]}const Cn=16,Rn=1,Ln=2;function zn(i,t){const e=i.deltaMode===Rn?Cn:i.deltaMode===Ln?t:1;return{x:i.deltaX*e,y:i.deltaY*e}}function ms(i){return rt(Math.exp(-i/700),1/fs,fs)}const Hn=200,Pn=2,Nn=5,On=500,In=13,Dn=26;class I{constructor(){this.boxes=[]}push(t,e,s,o){this.boxes.push(t,e,s,o)}fill(t,e){const{boxes:s}=this;t.fillStyle=e;for(let o=0;o<s.length;){t.beginPath();const n=Math.min(s.length,o+4*Hn);for(;o<n;o+=4)t.rect(s[o],s[o+1],s[o+2],s[o+3]);t.fill()}}}function*Un(i,t,e,s,o,n){const a={notes:0,begun:0},r=o.list().length>0;for(const l of e){const h=s.tracks[l.place%s.tracks.length],d=new Bn(t,h,l.ghost),{track:u}=l.track,g=r&&!l.ghost?(f,m)=>o.has(u,f,m):null;yield*d.gather(l.track.notes,a,g),d.fill(i),yield,!l.ghost&&(l.track.drum||d.names(i,l.track.notes,n),d.locks(i,l.track.notes))}return a}class Bn{constructor(t,e,s){this.view=t,this.shade=e,this.ghost=s,this.edges=new I,this.fills=Array.from({length:Ot},()=>new I),this.named=[],this.locked=[],this.top=D(t,0),this.bottom=D(t,t.height-1),this.border=Math.max(1,Math.floor(t.ratio))}*gather(t,e,s){const{view:o,ghost:n}=this,{tick:a,length:r,pitch:l,velocity:h}=t,{tickWidth:d,keyHeight:u,left:g,width:f}=o,m=Math.floor(R(o,-1)),y=Math.ceil(R(o,f)),w=ui(o),S=new Kn(this.fills,w);let T=0;for(const x of t.within(m,y)){++T%On===0&&(yield);const U=l[x];if(U>this.top||U<this.bottom)continue;const ft=Math.round(a[x]*d),G=di(Math.round((a[x]+r[x])*d)-ft),q=ft-g;if(q>=f||q+G<=0)continue;e.notes++,q>=0&&e.begun++,s?.(a[x],U)&&this.locked.push(x);const gt=(H-1-U)*u-o.top,We=n?0:st(h[x]);G<Pn?S.add(U,q,gt,G,We):this.note(q,gt,G,w,We,x)}S.end()}note(t,e,s,o,n,a){const r=this.fills[n],{border:l,view:h}=this;if(this.ghost||s<=2*l+1||o<=2*l+Nn){r.push(t,e,s,o);return}this.edges.push(t,e,s,o),r.push(t+l,e+l,s-2*l,o-2*l),Ke(h,s)&&this.named.push(a)}fill(t){this.edges.fill(t,this.shade.edge);const{ghost:e,shade:s}=this;this.fills.forEach((o,n)=>o.fill(t,e?s.ghost:s.fill[n]))}locks(t,e){for(const s of this.locked){const[o,n,a,r]=K(e,s),l=this.shade.text[st(r)];pi(t,this.view,V(this.view,o,n,a),l)}}names(t,e,s){if(this.named.length!==0){fi(t,this.view);for(const o of this.named){const n=K(e,o);gi(t,this.view,n,s,this.shade.text[st(n[3])])}}}}function pi(i,t,[e,s,o,n],a){const r=Math.max(1,Math.round(t.ratio));i.fillStyle=a;const l=Math.min(2*r,Math.max(1,o>>2));if(i.fillRect(e+r,s+r,l,n-2*r),i.fillRect(e+o-r-l,s+r,l,n-2*r),n<9*r||o<16*r)return;const h=Math.min(7*r,n-5*r),d=e+o-l-3*r-h,u=s+n-2*r-Math.round(h*.7);i.fillRect(d,u,h,Math.round(h*.7)),i.strokeStyle=a,i.lineWidth=r,i.beginPath(),i.arc(d+h/2,u,h/2-r,Math.PI,0),i.stroke()}function Ke(i,t){return i.keyHeight>=In*i.ratio&&t>=Dn*i.ratio}function fi(i,t){const e=Math.min(11,Math.floor(t.keyHeight/t.ratio)-4);i.font=`500 ${e*t.ratio}px system-ui, sans-serif`,i.textBaseline="middle",i.textAlign="left"}function gi(i,t,[e,s,o],n,a){const[r,l,,h]=V(t,e,s,o);i.fillStyle=a,i.fillText(dt(o,n),r+4*t.ratio,l+h/2+.5)}class Kn{constructor(t,e){this.fills=t,this.height=e,this.begin=new Int32Array(H).fill(-1),this.until=new Int32Array(H),this.y=new Int32Array(H),this.step=new Uint8Array(H)}add(t,e,s,o,n){if(this.begin[t]>=0&&e<=this.until[t]){this.until[t]=Math.max(this.until[t],e+o),this.step[t]=Math.max(this.step[t],n);return}this.flush(t),this.begin[t]=Math.max(0,e),this.until[t]=e+o,this.y[t]=s,this.step[t]=n}end(){for(let t=0;t<H;t++)this.flush(t)}flush(t){const e=this.begin[t];if(e<0)return;this.fills[this.step[t]].push(e,this.y[t],this.until[t]-e,this.height),this.begin[t]=-1}}const Vn=7,Wn=9,qn=12,Fn=26;function jn(i,t,e,s){if(i.fillStyle=s.of.back,i.fillRect(0,0,t.width,t.height),Gn(i,t,e,s),!e.song)return;Qn(i,t,e.song,e.grid,s);const o=E(t,e.song.end);o<t.width&&(i.fillStyle=s.of["after-end"],i.fillRect(Math.max(0,o),0,t.width,t.height))}function Gn(i,t,e,s){const o=D(t,0),n=D(t,t.height-1);for(const r of Yn(t,e))for(let l=n;l<=o;l++){const h=r.scale!==null&&!r.scale[l%12];!h&&!Et(l)||r.scale!==null&&!h||(i.fillStyle=s.of[h?"outside-scale":"black-row"],i.fillRect(r.from,j(t,l),r.to-r.from,t.keyHeight))}const a=Math.max(1,Math.floor(t.ratio));for(let r=n;r<=o;r++){const l=r%12===0;!l&&t.keyHeight<8*t.ratio||(i.fillStyle=s.of[l?"line-octave":"line-grid"],i.fillRect(0,j(t,r)+t.keyHeight-a,t.width,a))}}function Yn(i,t){const e=t.song?.keys??[];if(!t.scaleTint||e.length===0)return[{from:0,to:i.width,scale:null}];const s=R(i,0),o=R(i,i.width),n=e.map(([r])=>r).filter(r=>r>s&&r<o),a=[s,...n,o];return a.slice(0,-1).map((r,l)=>{const h=It(e,r),d=l===0?0:E(i,r),u=l===a.length-2?i.width:E(i,a[l+1]);return{from:d,to:u,scale:h?hn(h):null}})}function Qn(i,t,e,s,o){const n=Math.max(1,Math.floor(t.ratio)),a=R(t,t.width),[r,l,h]=[new I,new I,new I],d=(y,w)=>y.push(E(t,w),0,n,t.height),u=[...fe(t,e)],[g,f]=u,m=g&&f?E(t,e.bars.start(f))-E(t,e.bars.start(g)):1/0;for(const y of u){const w=e.bars.start(y),S=Math.min(e.bars.start(y+1),a),T=e.ticksPerQuarter*4/(e.bars.meter(y)[1]||4);if(s>0&&s*t.tickWidth>=Vn*t.ratio)for(let x=w+s;x<S;x+=s)d(r,x);if(T*t.tickWidth>=Wn*t.ratio)for(let x=w+T;x<S;x+=T)d(l,x);d(h,w)}r.fill(i,o.of["line-grid"]),l.fill(i,o.of["line-beat"]),h.fill(i,o.of[m<Fn*t.ratio?"line-beat":"line-bar"])}function*fe(i,t,e=qn){const s=R(i,i.width),o=t.bars.at(Math.max(0,R(i,0))),n=(t.bars.start(o+1)-t.bars.start(o))*i.tickWidth,a=Xn(n,e*i.ratio);for(let r=o-(o-1)%a;t.bars.start(r)<s;r+=a)yield r}function Xn(i,t){let e=1;for(;i*e<t&&e<65536;)e*=2;return e}const mi=72,Le=127,se=5;function bi(i){const t=ot(i),e=i.activeTrack===null?null:pe(i);return e?t.filter(s=>s.track.track===e.track):t}function Zn(i,t,e){const s=t-2*se*e;return Math.max(1,Math.min(Le,Math.round((t-se*e-i)/s*Le)))}function Jn(i,t,e,s,o){const n=Math.max(1,Math.floor(t.ratio));if(i.fillStyle=o.of.panel,i.fillRect(0,0,t.width,e),i.fillStyle=o.of["line-grid"],i.fillRect(0,Math.round(e/2),t.width,n),s.song){i.fillStyle=o.of["line-beat"];const{bars:a}=s.song;for(const r of fe(t,s.song))i.fillRect(E(t,a.start(r)),0,n,e);ta(i,t,e,s,o)}i.fillStyle=o.of["panel-line"],i.fillRect(0,0,t.width,n)}function ta(i,t,e,s,o){const n=new Uint8Array(t.width+1),a=new I,r=[];for(const l of bi(s).reverse()){const h=o.tracks[l.place%o.tracks.length],d=Array.from({length:Ot},()=>new I);ea(t,e,s,l,d,a,n),r.unshift(()=>d.forEach((u,g)=>u.fill(i,h.fill[g])))}for(const l of r)l();a.fill(i,o.of.selected)}function ea(i,t,e,s,o,n,a){const{notes:r,track:l}=s.track,h=new Map((e.velocities?.get(l)??[]).map(f=>[qe(f[0],f[2]),f[3]])),d=Math.floor(R(i,-se*2*i.ratio)),u=e.selection.size>0,g=Xt(r.tick,Math.ceil(R(i,i.width)));for(let f=Xt(r.tick,d);f<g;f++){const m=r.tick[f],y=r.pitch[f],w=E(i,m),S=h.get(qe(m,y))??r.velocity[f];if(u&&e.selection.has(l,m,y)){bs(n,i,t,w,S);continue}const T=Math.max(0,Math.min(i.width,w));a[T]>=S||(a[T]=S,bs(o[st(S)],i,t,w,S))}}function bs(i,t,e,s,o){const{ratio:n}=t,a=Math.round(se*n),r=Math.round(e-a-o/Le*(e-2*a)),l=Math.max(1,Math.round(1.5*n));i.push(s,r,l,e-r),i.push(s,r-(a>>1),a,a)}const sa=400;function ia(i){const{idea:t,range:e,loop:s,selection:o,preview:n,focus:a,band:r}=i;return!t&&!e&&!s&&o.size===0&&!n&&!a&&!r}function oa(i,t,e,s){i.clearRect(0,0,t.width,t.height);const o=new Map,{song:n}=e;return n&&(aa(i,t,e,n,s),e.idea&&(ki(i,t,e.idea.removed,e,s),$i(i,t,e.idea,o,s)),la(i,t,e,s),e.preview&&ha(i,t,e,s),da(i,t,e,s),e.band&&ua(i,t,e.band,s)),o}function $i(i,t,e,s,o){const n=Math.max(1,Math.round(t.ratio));for(const[a,{notes:r}]of e.added){for(let l=s.get(a)??0;l<r.length;l++)na(i,t,r[l],o,n);s.set(a,r.length)}}function na(i,t,e,s,o){const[n,a,r,l]=V(t,e[0],e[1],e[2]);if(ge(t,n,a,r,l))return;const{idea:h}=s;i.fillStyle=h.fill[st(e[3])],i.fillRect(n,a,r,l),!(r<6*o||l<5*o)&&(i.strokeStyle=h.edge,i.lineWidth=o,i.setLineDash([4*o,2*o]),i.strokeRect(n+o/2,a+o/2,r-o,l-o),i.setLineDash([]))}function ge(i,t,e,s,o){return t>=i.width||t+s<=0||e>=i.height||e+o<=0}function aa(i,t,e,s,o){const n=Math.max(1,Math.floor(t.ratio));if(e.range){const r=E(t,s.bars.start(e.range[0])),l=E(t,s.bars.start(e.range[1]+1));i.fillStyle=o.of.range,i.globalAlpha=.09,i.fillRect(r,0,l-r,t.height),i.globalAlpha=.8,i.fillRect(r,0,n,t.height),i.fillRect(l-n,0,n,t.height),i.globalAlpha=1}if(e.loop){i.fillStyle=o.of.loop;for(const r of e.loop)i.fillRect(E(t,r),0,n,t.height)}const{idea:a}=e;a&&a.frontier!==1/0&&a.frontier>0&&(i.fillStyle=o.of.idea,i.globalAlpha=.7,i.fillRect(E(t,a.frontier),0,n,t.height),i.globalAlpha=1)}function ki(i,t,e,s,o){const n=[];for(const[r,l]of e)if(!(s.hidden.has(r)&&r!==s.activeTrack))for(const[h,d,u]of l){const g=V(t,h,d,u);ge(t,...g)||n.push(g)}const a=new I;for(const r of n)a.push(...r);i.globalAlpha=.78,a.fill(i,o.of.back),i.globalAlpha=1,n.length>0&&n.length<=sa&&ra(i,t,n,o)}function ra(i,t,e,s){const o=Math.max(1,Math.round(t.ratio)),n=5*o;i.save(),i.beginPath();for(const a of e)i.rect(...a);i.clip(),i.globalAlpha=.6,i.strokeStyle=s.of["text-soft"],i.lineWidth=o,i.beginPath();for(const[a,r,l,h]of e){const d=Math.floor((a+t.left+r+t.top)/n)*n-t.left-t.top;for(let u=d;u<a+l+r+h;u+=n)i.moveTo(u-r,r),i.lineTo(u-r-h,r+h)}i.stroke(),i.restore()}function la(i,t,e,s){if(e.selection.size===0||e.preview)return;const o=new I,n={outer:o,fills:new Map,named:[],locked:[]};for(const a of ot(e))ca(t,e,a,s,n);o.fill(i,s.of.selected);for(const[a,r]of n.fills)r.fill(i,a);yi(i,t,e,n.named);for(const[[a,r,l],h]of n.locked)pi(i,t,V(t,a,r,l),h)}function ca(i,t,{track:e,place:s},o,{outer:n,fills:a,named:r,locked:l}){const h=Math.max(1,Math.round(i.ratio)),d=o.tracks[s%o.tracks.length],{notes:u}=e;let g=-1,f=-1;for(const m of u.within(Math.floor(R(i,-4)),Math.ceil(R(i,i.width+4)))){const y=u.tick[m],w=u.pitch[m];if(!t.selection.has(e.track,y,w))continue;const[S,T,x,U]=V(i,y,u.length[m],w);if(ge(i,S-h,T-h,x+2*h,U+2*h)||x<2&&S===g&&T===f)continue;if([g,f]=[S,T],x<4*h||U<4*h){n.push(S,T,Math.max(x,1),U);continue}n.push(S-h,T-h,x+2*h,U+2*h);const ft=d.fill[st(u.velocity[m])];let G=a.get(ft);G||a.set(ft,G=new I),G.push(S+h,T+h,x-2*h,U-2*h);const q=K(u,m),gt=d.text[st(q[3])];!e.drum&&Ke(i,x)&&r.push([q,gt]),t.locks.has(e.track,y,w)&&l.push([q,gt])}}function yi(i,t,e,s){if(s.length===0)return;fi(i,t);const o=It(e.song?.keys??[],0)?.fifths??0;for(const[n,a]of s)gi(i,t,n,o,a)}function ha(i,t,e,s){const{hide:o,add:n}=e.preview;ki(i,t,o,e,s);const a=new I,r=new Map((e.song?.tracks??[]).map((u,g)=>[u.track,g])),l=Math.max(1,Math.round(t.ratio)),h=[],d=[];for(const[u,g]of n){const f=s.tracks[(r.get(u)??r.size)%s.tracks.length],m=new I;for(const y of g){const[w,S,T,x]=V(t,y[0],y[1],y[2]);if(!ge(t,w,S,T,x)){if(Ke(t,T)&&d.push([y,f.text[f.text.length-1]]),T<4*l||x<4*l){a.push(w,S,T,x);continue}a.push(w-l,S-l,T+2*l,x+2*l),m.push(w+l,S+l,T-2*l,x-2*l)}}h.push([f.plain,m])}a.fill(i,s.of.selected);for(const[u,g]of h)g.fill(i,u);yi(i,t,e,d)}function da(i,t,e,s){const{focus:o,song:n}=e;if(!o||!n||!e.walking)return;const a=n.track(o.track)?.notes,r=a?.find(o.tick,o.pitch)??-1;if(!a||r<0||!Nt(e).some(w=>w.track.track===o.track))return;const[l,h,d]=K(a,r),[u,g,f,m]=V(t,l,h,d),y=Math.max(1,Math.round(t.ratio));i.strokeStyle=s.of.focus,i.lineWidth=2*y,i.strokeRect(u-3*y,g-3*y,f+6*y,m+6*y)}function ua(i,t,e,s){const o=E(t,e.from),n=j(t,e.high),a=E(t,e.to)-o,r=j(t,e.low)+t.keyHeight-n,l=Math.max(1,Math.round(t.ratio));i.fillStyle=s.of.focus,i.globalAlpha=.14,i.fillRect(o,n,a,r),i.globalAlpha=1,i.strokeStyle=s.of.focus,i.lineWidth=l,i.strokeRect(o+l/2,n+l/2,a-l,r-l)}const ze=34,vi=56,Tt=6,pa=34,fa=46,ga=26,ma=.62,ba=10;function ie(i,t,e=400){return`${e} ${t*i.ratio}px system-ui, sans-serif`}function $a(i,t,e,s,o){const{ratio:n}=t,a=Math.max(1,Math.floor(n));i.fillStyle=o.of.panel,i.fillRect(0,0,t.width,e);const{song:r}=s;if(r){if(s.range){const l=E(t,r.bars.start(s.range[0])),h=E(t,r.bars.start(s.range[1]+1));i.fillStyle=o.of.range,i.globalAlpha=.28,i.fillRect(l,Tt*n,h-l,e),i.globalAlpha=1,i.fillRect(l,e-3*a,h-l,3*a),i.fillRect(l,Tt*n,2*a,e),i.fillRect(h-2*a,Tt*n,2*a,e)}s.loop&&ka(i,t,s.loop,o),ya(i,t,e,r,o)}i.fillStyle=o.of["panel-line"],i.fillRect(0,e-a,t.width,a)}function ka(i,t,[e,s],o){const n=E(t,e),a=E(t,s),r=Tt*t.ratio;i.fillStyle=o.of.loop,i.fillRect(n,0,a-n,r-t.ratio),i.beginPath();for(const[l,h]of[[n,1],[a,-1]])i.moveTo(l,0),i.lineTo(l+h*r*1.2,0),i.lineTo(l,r*2);i.fill()}function ya(i,t,e,s,o){const{ratio:n}=t,a=Math.max(1,Math.floor(n)),r=e-10*n;i.textBaseline="alphabetic",i.textAlign="left",i.font=ie(t,12,600);const l=[...fe(t,s,pa)],h=[];l.forEach((d,u)=>{const g=E(t,s.bars.start(d));i.fillStyle=o.of["line-bar"],i.fillRect(g,Tt*n+4*n,a,e),i.fillStyle=o.of[d>s.bars.count?"text-soft":"text"],i.fillText(String(d),g+5*n,r);const f=s.bars.meter(d),m=d>1?s.bars.meter(d-1):null;if(m&&m[0]===f[0]&&m[1]===f[1])return;const y=g+9*n+i.measureText(String(d)).width,w=E(t,s.bars.start(l[u+1]??d+1));y+ga*n<w&&h.push([`${f[0]}/${f[1]}`,y])}),i.font=ie(t,10),i.fillStyle=o.of["text-soft"];for(const[d,u]of h)i.fillText(d,u,r);va(i,t,e,s,o)}function va(i,t,e,s,o){const{ratio:n}=t,a=R(t,t.width),r=Math.max(1,Math.floor(n)),l=new I;for(const h of fe(t,s)){const d=s.ticksPerQuarter*4/(s.bars.meter(h)[1]||4),u=d*t.tickWidth;if(u<9*n)continue;const g=s.bars.start(h+1);for(let f=s.bars.start(h)+d,m=2;f<Math.min(g,a);f+=d,m++){const y=E(t,f);l.push(y,e-6*n,r,6*n),u>=fa*n&&i.fillText(`${h}.${m}`,y+4*n,e-10*n)}}l.fill(i,o.of["line-bar"])}function wa(i,t,e,s,o){if(pe(s)?.drum){xa(i,t,e,s,o);return}const n=Math.max(1,Math.floor(t.ratio)),a=D(t,0),r=D(t,t.height-1);i.fillStyle=o.of["key-white"],i.fillRect(0,0,e,t.height);for(let l=r;l<=a;l++){const h=j(t,l);s.pressed.has(l)&&!Et(l)&&(i.fillStyle=o.of["key-down"],i.fillRect(0,h,e,t.keyHeight)),i.fillStyle=o.of["panel-line"],(l%12===0||l%12===5)&&i.fillRect(0,h+t.keyHeight-n,e,n),Et(l)&&i.fillRect(0,h+Math.floor(t.keyHeight/2),e,n)}for(let l=r;l<=a;l++)Et(l)&&(i.fillStyle=o.of[s.pressed.has(l)?"key-down":"key-black"],i.fillRect(0,j(t,l),Math.round(e*ma),t.keyHeight));Ma(i,t,e,s,o),i.fillStyle=o.of["panel-line"],i.fillRect(e-n,0,n,t.height)}function xa(i,t,e,s,o){const n=Math.max(1,Math.floor(t.ratio));i.fillStyle=o.of.panel,i.fillRect(0,0,e,t.height),i.font=ie(t,Math.min(10,t.keyHeight/t.ratio-2)),i.textBaseline="middle",i.textAlign="left";for(let a=D(t,t.height-1);a<=D(t,0);a++){const r=j(t,a);s.pressed.has(a)&&(i.fillStyle=o.of["key-down"],i.fillRect(0,r,e,t.keyHeight)),!(t.keyHeight<ba*t.ratio)&&(i.fillStyle=o.of["panel-line"],i.fillRect(0,r+t.keyHeight-n,e,n),i.fillStyle=o.of[s.pressed.has(a)?"key-text":"text-soft"],i.fillText(ai(a),3*t.ratio,r+t.keyHeight/2+.5,e-6*t.ratio))}i.fillStyle=o.of["panel-line"],i.fillRect(e-n,0,n,t.height)}function Ma(i,t,e,s,o){const n=It(s.song?.keys??[],R(t,0))?.fifths??0,a=t.keyHeight>=15*t.ratio,r=Math.min(11,Math.max(9,t.keyHeight/t.ratio));i.textBaseline="middle",i.textAlign="right";for(let l=D(t,t.height-1);l<=D(t,0);l++){const h=l%12===0;Et(l)||!h&&!a||h&&t.keyHeight*12<14*t.ratio||(i.font=ie(t,r,h?600:400),i.fillStyle=o.of["key-text"],i.globalAlpha=h?1:.65,i.fillText(dt(l,n),e-5*t.ratio,j(t,l)+t.keyHeight/2+.5))}i.globalAlpha=1}const Sa=`
<div class="roll" tabindex="0" role="application" aria-roledescription="${A.roll}" aria-label="${A.notes}"
     aria-activedescendant="note">
  <div class="corner"></div>
  <div class="top"><canvas class="ruler"></canvas><div class="head"></div></div>
  <canvas class="piano"></canvas>
  <div class="port">
    <canvas class="notes"></canvas><canvas class="overlay"></canvas>
    <div class="cursor"></div>
    <div class="scroller"><div class="space"></div></div>
  </div>
  <div class="corner low">${A.velocity}</div>
  <canvas class="lane"></canvas>
  <div id="note" class="spoken" role="img" aria-label="${A.noNote}"></div>
  <div class="probe"></div>
</div>`,Aa=`
:host { display: block; position: relative; min-width: 0; min-height: 120px; contain: strict; height: 100%; }
:host([hidden]) { display: none; }
.roll {
  position: absolute; inset: 0; display: grid; overflow: hidden; outline: none;
  grid-template: ${ze}px minmax(0, 1fr) ${mi}px / ${vi}px minmax(0, 1fr);
  background: var(--roll-panel); color: var(--roll-text-soft); font: 10px system-ui, sans-serif;
  user-select: none; -webkit-user-select: none; touch-action: none;
}
:host([data-low]) .roll { grid-template-rows: ${ze}px minmax(0, 1fr) 0; }
.roll:focus-visible:not([data-pointer])::after {
  content: ""; position: absolute; inset: 0; border: 2px solid var(--roll-focus); pointer-events: none;
}
.corner { box-sizing: border-box; border: 0 solid var(--roll-panel-line); border-width: 0 1px 1px 0; }
.corner.low { border-width: 1px 1px 0 0; padding: 6px 5px; text-align: right; overflow: hidden; }
.top, .port { position: relative; overflow: hidden; }
canvas { display: block; }
.port canvas { position: absolute; left: 0; top: 0; pointer-events: none; }
.scroller { position: absolute; inset: 0; overflow: scroll; scrollbar-width: thin;
  scrollbar-color: var(--roll-line-bar) transparent; overscroll-behavior: contain; touch-action: none; }
.space { pointer-events: none; }
.piano, .ruler, .lane { touch-action: none; }
.cursor, .head { position: absolute; left: 0; top: 0; pointer-events: none; will-change: transform; }
.cursor { width: 2px; margin-left: -1px; height: 100%; background: var(--roll-cursor); }
.head { width: 0; height: 0; margin-left: -6px; top: auto; bottom: 0;
  border: 6px solid transparent; border-top-color: var(--roll-cursor); border-bottom: 0; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.probe { display: none; forced-color-adjust: none; }
`,wi=512,Ea=6,Ta=.6;class _a{constructor(){this.tiles=new Map,this.free=[],this.job=null,this.still=null,this.shown=[],this.view=null,this.frame=0,this.painted=0}show(t){const e=this.shown;if(this.shown=t,!(e.length===t.length&&e.every((n,a)=>Ra(n,t[a]))))return this.allStale(),[];const o=[];return e.forEach((n,a)=>{const r=t[a].track;if(n.track.notes!==r.notes)for(const l of[Fe(n.track.notes,r.notes),Fe(r.notes,n.track.notes)]){for(const[h,d,u]of l)this.touch(h,h+d,u);o.push(...l)}}),o}allStale(){this.leave();for(const t of this.tiles.values())t.stale=!0}touch(t,e,s){if(!this.view)return;const o=at(this.view),n=Math.floor((t*this.view.tickWidth-1)/o.width),a=Math.floor((e*this.view.tickWidth+1)/o.width),r=Math.floor((H-1-s)/o.rows);this.leave();for(const l of this.tiles.values())l.row===r&&l.column>=n&&l.column<=a&&(l.stale=!0)}paint(t,e,s,o){if(e.width===0||e.height===0)return!0;const n=this.view!==null&&!Ca(this.view,e),a=performance.now()+(n?o/2:o);n&&this.keepStill(this.view,e),this.view=e,this.frame++;const r=Bt(e),l=r.filter(f=>this.tile(f)?.stale??!0),h=n?l.filter(f=>!this.isCovered(f,e)):l;let d=0;for(;d<h.length&&this.work(h[d],e,s,a);)d++;const u=r.filter(f=>!this.tile(f));u.length&&this.still&&this.stretch(t,e,this.still,u),this.copy(t,e,r);const g=d===l.length;return g&&(this.still=null),this.drop(),g}drawnNotes(t){const e=Bt(t),s=Math.min(...e.map(n=>n.column));let o=0;for(const n of e){const a=this.tile(n)?.drawn;a&&(o+=n.column===s?a.notes:a.begun)}return o}tile({column:t,row:e}){return this.tiles.get($s({column:t,row:e}))}work(t,e,s,o){const{job:n}=this;(!n||n.place.column!==t.column||n.place.row!==t.row)&&this.begin(t,e,s);const{sheet:a,steps:r}=this.job;for(;performance.now()<o;){const l=r.next();if(!l.done)continue;const h=this.tile(t);return h&&this.free.push(h.sheet),this.tiles.set($s(t),{...t,sheet:a,drawn:l.value,stale:!1,used:this.frame}),this.job=null,this.painted++,!0}return!1}begin(t,e,{colours:s,locks:o,fifths:n}){this.leave();const{width:a,height:r}=at(e),l=this.free.pop()??ks(),{canvas:h,context:d}=l;h.width===a&&h.height===r?d.clearRect(0,0,a,r):[h.width,h.height]=[a,r];const u={...e,left:t.column*a,top:t.row*r,width:a,height:r};this.job={place:t,sheet:l,steps:Un(d,u,this.shown,s,o,n)}}leave(){this.job&&this.free.push(this.job.sheet),this.job=null}isCovered(t,e){if(!this.still)return!1;const s=at(e),[o,n,a,r]=ys(this.still.view,e),l=Math.max(0,t.column*s.width-e.left),h=Math.max(0,t.row*s.height-e.top),d=Math.min(e.width,(t.column+1)*s.width-e.left),u=Math.min(e.height,(t.row+1)*s.height-e.top);return l>=o-1&&h>=n-1&&d<=o+a+1&&u<=n+r+1}copy(t,e,s){const o=at(e);for(const n of s){const a=this.tile(n);a&&(a.used=this.frame,t.drawImage(a.sheet.canvas,n.column*o.width-e.left,n.row*o.height-e.top))}}stretch(t,e,s,o){const n=at(e);t.save(),t.beginPath();for(const a of o)t.rect(a.column*n.width-e.left,a.row*n.height-e.top,n.width,n.height);t.clip(),t.imageSmoothingEnabled=!1,t.drawImage(s.canvas,...ys(s.view,e)),t.restore()}keepStill(t,e){const{still:s}=this;if((s?t.tickWidth/s.view.tickWidth*(t.keyHeight/s.view.keyHeight):0)<Ta){const n=ks();[n.canvas.width,n.canvas.height]=[t.width,t.height];const a=Bt(t);s&&this.stretch(n.context,t,s,a.filter(r=>!this.tile(r))),this.copy(n.context,t,a),this.still={canvas:n.canvas,view:t}}this.leave();for(const n of this.tiles.values())this.free.push(n.sheet);this.free.length=Math.min(this.free.length,vs(e)),this.tiles.clear()}drop(){const t=vs(this.view),e=Bt(this.view).length+t;if(this.tiles.size<=e)return;const s=[...this.tiles].sort((o,n)=>o[1].used-n[1].used).slice(0,this.tiles.size-e);for(const[o,n]of s)this.tiles.delete(o),this.free.length<t&&this.free.push(n.sheet)}}function $s({column:i,row:t}){return`${i},${t}`}function ks(){const i=document.createElement("canvas");return{canvas:i,context:i.getContext("2d")}}function ys(i,t){const e=t.tickWidth/i.tickWidth,s=t.keyHeight/i.keyHeight;return[i.left*e-t.left,i.top*s-t.top,i.width*e,i.height*s]}function vs(i){return Math.ceil(Ea*1e6/(wi*i.ratio)**2)}function at(i){const t=Math.round(wi*i.ratio),e=Math.max(1,Math.floor(t/i.keyHeight));return{width:t,height:e*i.keyHeight,rows:e}}function Bt(i){const t=at(i),e=[],s=Math.floor((Math.min(H*i.keyHeight,i.top+i.height)-1)/t.height);for(let o=Math.floor(i.top/t.height);o<=s;o++){const n=Math.floor((i.left+i.width-1)/t.width);for(let a=Math.floor(i.left/t.width);a<=n;a++)e.push({column:a,row:o})}return e}function Ca(i,t){return i.tickWidth===t.tickWidth&&i.keyHeight===t.keyHeight&&i.ratio===t.ratio}function Ra(i,t){return i.track.track===t.track.track&&i.place===t.place&&i.ghost===t.ghost&&i.track.drum===t.track.drum}const v={grid:1,notes:2,overlay:4,ruler:8,piano:16,lane:32,cursor:64,grown:128,all:127},La=6,za=9,Ha=230,Pa=500,Na=.7,Oa=.08;let Ia=class{constructor(t,e){this.root=t,this.state=e,this.tiles=new _a,this.record={milliseconds:[],frames:0},this.view=gs,this.colours=null,this.ratio=null,this.ratioChanged=()=>{this.watchRatio(),this.resize()},this.dirty=0,this.scheduled=0,this.mark=new Map,this.waiting=[],this.placed=!1,this.clear=!1,this.removed=-1,this.frontier=0;const s=new CSSStyleSheet;s.replaceSync(Aa),t.adoptedStyleSheets=[s];const o=n=>t.querySelector(n);this.port=o(".port"),this.ruler=o(".ruler"),this.piano=o(".piano"),this.lane=o(".lane"),this.scroller=o(".scroller"),this.space=o(".space"),this.notes=o(".notes"),this.overlay=o(".overlay"),this.probe=o(".probe"),this.cursors=[o(".cursor"),o(".head")],this.scroller.addEventListener("scroll",()=>this.scrolled(),{passive:!0}),this.sizes=new ResizeObserver(()=>this.resize())}connect(){xn(),this.watchRatio(),this.sizes.observe(this.scroller),this.sizes.observe(this.root.host),this.recolour(),this.resize()}disconnect(){this.ratio?.removeEventListener("change",this.ratioChanged),this.sizes.disconnect(),cancelAnimationFrame(this.scheduled),this.scheduled=0,this.settle()}recolour(){this.colours=null,this.tiles.allStale(),this.invalidate(v.all)}invalidate(t){this.dirty|=t,!this.scheduled&&this.root.host.isConnected&&(this.scheduled=requestAnimationFrame(()=>this.draw()))}idle(){return this.scheduled?new Promise(t=>this.waiting.push(t)):Promise.resolve()}grown(){const{idea:t}=this.state,e=[...this.mark].every(([n,a])=>(t?.added.get(n)?.notes.length??0)>=a),s=t?[...t.removed.values()].reduce((n,a)=>n+a.length,0):0,o=e&&s===this.removed&&t?.frontier===this.frontier;this.removed=s,this.frontier=t?.frontier??0,this.invalidate(o?v.grown:v.overlay)}showSong(t){const{song:e}=this.state,s=e?.ticksPerQuarter??gs.ticksPerQuarter,o=this.view.left*this.view.ticksPerQuarter/s,n=this.showTracks();this.setView({...this.view,ticksPerQuarter:s,left:o,end:this.scrollEnd()}),this.invalidate(v.all),!this.placed&&e&&this.view.height>0?this.frame():t&&this.revealChange(n)}showTracks(){const t=this.tiles.show(Nt(this.state));return this.invalidate(v.notes|v.overlay|v.lane|v.piano),t}revealChange(t){const[e]=t;if(!e||t.length>Pa)return;const{view:s}=this;t.some(([n,a,r])=>{const[l,h,d,u]=V(s,n,a,r);return l<s.width&&l+d>0&&h<s.height&&h+u>0})||this.reveal(e[0],e[2])}setView(t){const e=this.view,s=Re(e,t);this.view=s;const{ratio:o}=s;this.space.style.width=`${Math.ceil(s.end*s.tickWidth)/o}px`,this.space.style.height=`${H*s.keyHeight/o}px`,Math.abs(this.scroller.scrollLeft-s.left/o)>.5&&(this.scroller.scrollLeft=s.left/o),Math.abs(this.scroller.scrollTop-s.top/o)>.5&&(this.scroller.scrollTop=s.top/o);const n=s.left!==e.left||s.tickWidth!==e.tickWidth||s.width!==e.width,a=s.top!==e.top||s.keyHeight!==e.keyHeight||s.height!==e.height;n&&this.invalidate(v.all&-17),a&&this.invalidate(v.grid|v.notes|v.overlay|v.piano)}scrollBy(t,e){this.setView({left:this.view.left+t,top:this.view.top+e})}reveal(t,e){const{view:s}=this,o=E(s,t),n={};if((o<0||o>s.width*.95)&&(n.left=s.left+o-s.width*.2),e!==void 0){const a=(H-1-e)*s.keyHeight-s.top;(a<0||a+s.keyHeight>s.height)&&(n.top=s.top+a-s.height/2)}(n.left!==void 0||n.top!==void 0)&&this.setView(n)}follow(t){const e=E(this.view,t);(e<0||e>this.view.width*Na)&&this.setView({left:this.view.left+e-this.view.width*Oa})}moveCursor(){const t=E(this.view,this.state.cursor)/this.view.ratio;for(const e of this.cursors)e.style.transform=`translateX(${t}px)`}fit(){const{song:t}=this.state;if(!t||this.view.width===0)return;const e=this.view.width/this.view.ratio/Math.max(t.end,1)*t.ticksPerQuarter,[s,o]=this.reach(),n=this.view.height/this.view.ratio/(o-s+5);this.setView({quarter:e,key:n,left:0,end:this.scrollEnd()});const a=(H-1-(s+o)/2+.5)*this.view.keyHeight;this.setView({top:a-this.view.height/2})}scrollEnd(){const{song:t}=this.state;if(!t)return 0;const e=Math.max(4,Math.min(16,t.bars.count));return t.bars.start(t.bars.at(Math.max(0,t.end-1))+1+e)}reach(){let t=H,e=0;for(const{track:s}of Nt(this.state))for(let o=0;o<s.notes.count;o++)t=Math.min(t,s.notes.pitch[o]),e=Math.max(e,s.notes.pitch[o]);return t>e?[48,72]:[t,e]}frame(){if(this.placed=this.state.song!==null&&this.view.height>0,!this.placed)return;const[t,e]=this.reach(),s=Math.min(Ce,Math.max(za,this.view.height/this.view.ratio/(e-t+3)));this.setView({key:s,left:0});const o=(H-.5-(t+e)/2)*this.view.keyHeight;this.setView({top:o-this.view.height/2})}scrolled(){const{view:t}=this,e=this.scroller.scrollLeft*t.ratio,s=this.scroller.scrollTop*t.ratio;(Math.abs(e-t.left)>t.ratio||Math.abs(s-t.top)>t.ratio)&&this.setView({left:e,top:s})}watchRatio(){this.ratio?.removeEventListener("change",this.ratioChanged),this.ratio=matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`),this.ratio.addEventListener("change",this.ratioChanged)}resize(){const t=window.devicePixelRatio||1,e=this.root.host.clientHeight>=Ha;this.root.host.toggleAttribute("data-low",!e);const s=Math.round(this.scroller.clientWidth*t),o=Math.round(this.scroller.clientHeight*t);if(s===0||o===0)return;const n=t/this.view.ratio;this.setView({ratio:t,width:s,height:o,left:this.view.left*n,top:this.view.top*n});for(const a of[this.notes,this.overlay])Kt(a,s,o,t);Kt(this.ruler,s,Math.round(ze*t),t),Kt(this.piano,Math.round(vi*t),o,t),Kt(this.lane,s,e?Math.round(mi*t):0,t),n!==1&&this.tiles.allStale(),!this.placed&&this.state.song&&this.frame(),this.invalidate(v.all),cancelAnimationFrame(this.scheduled),this.draw()}draw(){const t=performance.now();this.scheduled=0;const{dirty:e,view:s,state:o}=this;this.dirty=0;const n=this.colours??=Mn(this.probe);if(e&(v.grid|v.notes)){const a=this.notes.getContext("2d",{alpha:!1});jn(a,s,o,n);const r=It(o.song?.keys??[],0)?.fifths??0,l={colours:n,locks:o.locks,fifths:r};this.tiles.paint(a,s,l,La)||this.invalidate(v.notes)}e&v.overlay?this.drawOverlay(n):e&v.grown&&o.idea&&$i(kt(this.overlay),s,o.idea,this.mark,n),e&v.ruler&&$a(kt(this.ruler),s,this.ruler.height,o,n),e&v.piano&&wa(kt(this.piano),s,this.piano.width,o,n),e&v.lane&&this.lane.height>0&&Jn(kt(this.lane),s,this.lane.height,o,n),e&v.cursor&&this.moveCursor(),this.record.frames++,this.record.milliseconds.push(performance.now()-t),this.record.milliseconds.length>600&&this.record.milliseconds.shift(),this.scheduled||this.settle()}drawOverlay(t){const e=ia(this.state);(!e||!this.clear)&&(this.mark=oa(kt(this.overlay),this.view,this.state,t)),this.clear=e}settle(){const{waiting:t}=this;this.waiting=[];for(const e of t)e()}};function kt(i){return i.getContext("2d")}function Kt(i,t,e,s){i.width!==t&&(i.width=t),i.height!==e&&(i.height=e),i.style.width=`${t/s}px`,i.style.height=`${e/s}px`}const Da=96;class Ua{constructor(t,e,s){this.state=t,this.stage=e,this.target=s,this.lastLength=0,this.lastVelocity=Da,this.oncommit=null,this.committing=!1}emit(t,e){this.target.dispatchEvent(new CustomEvent(t,{detail:e,bubbles:!0,composed:!0}))}showSelection(t){this.state.selection=t instanceof Qt?t:new Qt(t),this.stage.invalidate(v.overlay|v.lane)}select(t){this.showSelection(t),this.emit("select",{selection:[...this.state.selection.refs]})}selected(){return this.state.song?Ks(this.state.song,this.state.selection.refs):new Map}free(t){return Oi(t,this.state.locks)}get editable(){return this.state.song!==null&&!this.state.readonly}commit(t,e,s){this.preview(null,null);const{song:o,locks:n}=this.state;if(!o||this.state.readonly)return!1;const{operations:a,placed:r}=Vs(o,t,n);if(a.length===0)return!1;const l=this.state.selection.refs.filter(({track:u,tick:g,pitch:f})=>n.has(u,g,f)),h=s?[...s]:[...l,...r];this.committing=!0,this.emit("edit",{operations:a,selection:h,label:e}),this.committing=!1;const d=this.state.song;return d&&d!==o&&this.select(_t(d,h)),this.oncommit?.(),!0}forget(){const{state:t}=this;if(this.committing)return;const e=t.song?_t(t.song,t.selection.refs):[];t.focus&&(!t.song||_t(t.song,[t.focus]).length===0)&&(t.focus=null),e.length!==t.selection.size&&(this.showSelection(e),queueMicrotask(()=>this.emit("select",{selection:[...t.selection.refs]})))}preview(t,e){!t&&!e&&!this.state.preview||(this.state.preview=t||e?{hide:t??new Map,add:e??new Map}:null,this.stage.invalidate(v.overlay))}sound(t,e,s){this.press([e]),this.emit("sound",{track:t,pitch:e,velocity:s})}press(t){t.length===0&&this.state.pressed.size===0||(this.state.pressed=new Set(t),this.stage.invalidate(v.piano))}get step(){return this.state.grid>0?this.state.grid:(this.state.song?.ticksPerQuarter??480)/4}get drawnLength(){const{grid:t,song:e}=this.state;return this.lastLength||t||(e?.ticksPerQuarter??480)}}function _t(i,t){return Zt(Ks(i,t))}const ve=12,ws=8;class Ba{constructor(t,e){this.host=t,this.spoken=e,this.clipboard=new Map,t.oncommit=()=>this.keepFocus()}run(t){const{host:e}=this;if(!e.state.song)return;const{step:s}=e;switch(t){case"selectAll":return e.select(Zt(this.all()));case"selectNone":return this.selectNone();case"delete":return this.remove(A.remove);case"copy":return this.copy();case"cut":return this.cut();case"paste":return this.paste();case"duplicate":return this.duplicate();case"quantise":return this.quantise();case"up":return this.move(0,1);case"down":return this.move(0,-1);case"octaveUp":return this.move(0,ve);case"octaveDown":return this.move(0,-ve);case"left":return this.move(-s,0);case"right":return this.move(s,0);case"longer":return this.change(A.stretch,o=>xs(o,o[1]+s));case"shorter":return this.change(A.shorten,o=>xs(o,o[1]-(o[1]>s?s:0)));case"louder":return this.change(A.louder,o=>Ee(o,o[3]+ws));case"softer":return this.change(A.softer,o=>Ee(o,o[3]-ws));case"nextNote":return this.walk(!0);case"previousNote":return this.walk(!1)}}walk(t){const{state:e}=this.host;this.focus(fn(e,e.focus,e.cursor,t)??e.focus)}climb(t){const{state:e}=this.host;e.focus?this.focus(gn(e,e.focus,t)??e.focus):this.walk(!0)}focus(t){const{host:e}=this;if(e.state.focus=t,e.state.walking=t!==null,e.stage.invalidate(v.overlay),!t)return;e.stage.reveal(t.tick,t.pitch);const s=e.state.song?.track(t.track)?.notes,o=s?.velocity[s.find(t.tick,t.pitch)];o!==void 0&&e.emit("sound",{track:t.track,pitch:t.pitch,velocity:o}),this.describe()}describe(){const{state:t}=this.host,e=t.focus?mn(t,t.focus):"";this.spoken.setAttribute("aria-label",e||A.noNote),e&&this.host.emit("describe",{text:e})}toggleFocused(){const{host:t}=this,{focus:e,selection:s}=t.state;if(!e)return;const o=s.has(e.track,e.tick,e.pitch);t.select(o?s.without([e]):s.with([e])),this.describe()}keepFocus(){const{state:t}=this.host;!t.focus||!t.song||(_t(t.song,[t.focus]).length===0&&(t.focus=t.selection.refs[0]??null),this.describe())}selectNone(){const{host:t}=this;t.state.selection.size?t.select([]):t.state.walking?this.focus(null):t.state.range&&(t.state.range=null,t.stage.invalidate(v.overlay|v.ruler),t.emit("range",{range:null}))}all(){const{state:t}=this.host,e=t.activeTrack===null?null:pe(t),s=new Map;for(const{track:o}of ot(t))e&&o.track!==e.track||s.set(o.track,Array.from({length:o.notes.count},(n,a)=>K(o.notes,a)));return s}change(t,e){const{host:s}=this;s.commit(W(s.free(s.selected()),e),t)}move(t,e){const{host:s}=this,o=s.free(s.selected()),[n,a]=Ws([...o.values()].flat(),t,e);if(n===0&&a===0||Math.abs(e)===ve&&a!==e)return;const r=W(o,d=>wt(d,n,a));if(!s.commit(r,A.move))return;const l=[...r][0],h=l?.[1].add[0];!l||!h||(a!==0&&s.emit("sound",{track:l[0],pitch:h[2],velocity:h[3]}),s.stage.reveal(h[0],h[2]))}remove(t){const{host:e}=this,s=e.selected(),o=e.free(s),n=Zt(s).filter(({track:a,tick:r,pitch:l})=>e.state.locks.has(a,r,l));e.commit(W(o,()=>null),t,n)}copy(){const t=this.host.selected();t.size!==0&&(this.clipboard=t,this.host.emit("copied",{notes:[...t.values()].flat()}))}cut(){this.copy(),this.remove(A.cut)}paste(){const{host:t}=this,{song:e,activeTrack:s,cursor:o}=t.state;if(!e||this.clipboard.size===0)return;const n=Ms(this.clipboard),a=Math.round(o)-n,r=new Map;for(const[l,h]of this.clipboard){const d=this.clipboard.size===1&&s!==null?s:l,u=e.track(d)??ue(t.state);if(!u)continue;const g=h.map(f=>wt(f,a,0));r.set(u.track,{remove:[],add:[...r.get(u.track)?.add??[],...g],into:u})}t.commit(r,A.paste)&&t.stage.reveal(n+a)}duplicate(){const{host:t}=this,{song:e}=t.state,s=t.selected();if(!e||s.size===0)return;const o=Ms(s),n=Math.max(...[...s.values()].flat().map(l=>l[0]+l[1])),a=e.ticksPerQuarter*4/(e.bars.meter(e.bars.at(o))[1]||4),r=qs(n-1,a,e.bars)-Math.floor(o/a)*a;t.commit(W(s,l=>wt(l,Math.max(1,r),0),!0),A.duplicate)}quantise(){const{host:t}=this,e=t.state.song?.bars;if(!e)return;const s=t.selected(),o=t.free(s.size?s:this.all()),n=W(o,a=>Ii(a,t.step,e));t.commit(n,A.quantise,s.size?void 0:[])}}function xs(i,t){return[i[0],Math.max(1,t),i[2],i[3]]}function Ms(i){return[...i.values()].flat().reduce((t,e)=>Math.min(t,e[0]),1/0)}const Ka=8,Va=24;function oe(i,t,e,s,o){const n=o?Va/2*t.ratio:0;let a=null,r=1/0;for(const{track:l}of ot(i)){const{notes:h}=l,d=D(t,s-n),u=D(t,s+n);for(const g of h.within(Math.floor(R(t,e-n-2)),Math.ceil(R(t,e+n+2)))){const f=h.pitch[g];if(f>d||f<u)continue;const m=K(h,g),y=V(t,m[0],m[1],m[2]),w=qa(y,e,s,n,t.keyHeight);if(w===1/0)continue;const S=i.selection.has(l.track,m[0],f)?0:1e12,T=l.track===i.activeTrack?0:1e11,x=w*1e7+S+T+m[1];x>=r||(r=x,a={track:l.track,note:m,edge:e>=y[0]+y[2]-Wa(y[2],t.ratio,o)})}}return a}function Wa(i,t,e){return Math.min(i/3,(e?2:1)*Ka*t)}function qa(i,t,e,s,o){const[n,a,r]=i,l=Math.max(n-t,t-(n+Math.max(r,1)),0),h=Math.max(a-e,e-(a+o),0),d=Math.max(0,s-r/2),u=Math.max(0,s-o/2);return l<=d&&h<=u?Math.max(l,h):1/0}function ut(i,t){return t.alt?0:i.state.grid}function Ve(i){let t=0;for(const e of i.values())t+=e.length;return t}class Ss{constructor(t,e,s){this.host=t,this.hit=e,this.start=s,this.scrolls=!0,this.step=[0,0];const{state:o}=t,n=ne(e);this.before=o.selection,this.was=o.selection.has(n.track,n.tick,n.pitch),this.was||t.showSelection(s.shift||s.copy?o.selection.with([n]):[n]),this.free=t.editable?t.free(t.selected()):new Map,this.anchor=e.note,this.sounded=e.note[2],t.sound(e.track,e.note[2],e.note[3])}move(t){const{host:e,anchor:s,start:o}=this,n=e.state.song?.bars;if(!n||this.free.size===0)return;const a=ut(e,t),l=Math.abs(t.x-o.x)<3*e.stage.view.ratio?0:xt(s[0]+t.tick-o.tick,a,n)-s[0];this.step=Ws([...this.free.values()].flat(),l,t.pitch-o.pitch);const h=W(this.free,u=>wt(u,...this.step));e.preview(t.copy?null:this.free,new Map([...h].map(([u,g])=>[u,g.add])));const d=s[2]+this.step[1];d!==this.sounded&&e.sound(this.hit.track,this.sounded=d,s[3])}end(t,e){const{host:s}=this;if(s.press([]),!e){this.click(t);return}if(this.step[0]===0&&this.step[1]===0){s.preview(null,null),s.select(s.state.selection);return}const o=W(this.free,n=>wt(n,...this.step),t.copy);s.commit(o,A.edited(t.copy?A.copy:A.move,Ve(this.free)))}cancel(){this.host.press([]),this.host.preview(null,null),this.host.showSelection(this.before)}click(t){const{host:e}=this,s=ne(this.hit);e.preview(null,null),e.lastLength=this.hit.note[1],e.lastVelocity=this.hit.note[3],e.state.focus=s,this.was&&(t.shift||t.copy)?e.select(e.state.selection.without([s])):this.was?e.select([s]):e.select(e.state.selection)}}class Fa{constructor(t,e,s){this.host=t,this.hit=e,this.start=s,this.scrolls=!0,this.more=0;const o=ne(e);this.before=t.state.selection,this.before.has(o.track,o.tick,o.pitch)||t.showSelection([o]),this.free=t.editable?t.free(t.selected()):new Map,t.sound(e.track,e.note[2],e.note[3])}move(t){const{host:e}=this,s=e.state.song?.bars;if(!s||this.free.size===0)return;const[o,n]=this.hit.note,a=xt(o+n+t.tick-this.start.tick,ut(e,t),s);this.more=Math.max(a,o+this.shortest(t))-o-n;const r=W(this.free,l=>this.stretched(l,t));e.preview(this.free,new Map([...r].map(([l,{add:h}])=>[l,h])))}end(t,e){const{host:s}=this;if(s.press([]),!e||this.more===0){s.preview(null,null),s.select(e?s.state.selection:[ne(this.hit)]);return}s.lastLength=this.stretched(this.hit.note,t)[1],s.commit(W(this.free,o=>this.stretched(o,t)),A.edited(A.stretch,Ve(this.free)))}cancel(){this.host.press([]),this.host.preview(null,null),this.host.showSelection(this.before)}shortest(t){return Math.max(1,Math.min(ut(this.host,t)||1,this.hit.note[1]))}stretched(t,e){const s=Math.min(t[1],this.shortest(e));return[t[0],Math.max(s,t[1]+this.more),t[2],t[3]]}}class ja{constructor(t,e){this.host=t,this.start=e,this.scrolls=!0,this.before=t.state.selection}move(t){const{host:e,start:s}=this,o={from:Math.max(0,Math.min(s.tick,t.tick)),to:Math.max(s.tick,t.tick),low:Math.min(s.pitch,t.pitch),high:Math.max(s.pitch,t.pitch)};e.state.band=o;const n=t.shift||t.copy?[...this.before.refs]:[];for(const{track:a}of ot(e.state)){const{notes:r}=a;for(const l of r.within(o.from,o.to)){const h=r.pitch[l];h<o.low||h>o.high||n.push({track:a.track,tick:r.tick[l],pitch:h})}}e.showSelection(n)}end(t,e){this.host.state.band=null,this.host.stage.invalidate(v.overlay),e?this.host.select(this.host.state.selection):!t.shift&&!t.copy&&(this.host.state.focus=null,this.host.select([]))}cancel(){this.host.state.band=null,this.host.showSelection(this.before)}}class Ga{constructor(t,e){this.host=t,this.scrolls=!0;const{state:s}=t;this.into=t.editable?ue(s):null;const o=s.song?Fs(e.tick,ut(t,e),s.song.bars):0;this.note=[o,t.drawnLength,e.pitch,t.lastVelocity],this.into&&(t.sound(this.into.track,e.pitch,t.lastVelocity),this.show())}move(t){const e=this.host.state.song?.bars;if(!e)return;const[s,,o,n]=this.note,a=ut(this.host,t);this.note=[s,Math.max(a||1,qs(Math.max(t.tick,s),a,e)-s),o,n],this.show()}end(){this.host.press([]),this.into&&(this.host.lastLength=this.note[1],this.host.commit(Mi(this.into,this.note),A.edited(A.draw,1)))}cancel(){this.host.press([]),this.host.preview(null,null)}show(){this.into&&this.host.preview(null,new Map([[this.into.track,[this.note]]]))}}class Ya{constructor(t,e){this.host=t,this.scrolls=!1,this.gone=new Map,this.move(e)}move(t){const{host:e}=this,s=e.editable?oe(e.state,e.stage.view,t.x,t.y,t.coarse):null;if(!s||e.state.locks.has(s.track,s.note[0],s.note[2]))return;const o=this.gone.get(s.track)??[];o.some(n=>n[0]===s.note[0]&&n[2]===s.note[2])||(this.gone.set(s.track,[...o,s.note]),e.preview(this.gone,null))}end(){const t=this.host.state.selection.without(Zt(this.gone));this.host.commit(W(this.gone,()=>null),A.edited(A.remove,Ve(this.gone)),t.refs)}cancel(){this.host.preview(null,null)}}function Qa(i,t){const{state:e,stage:s}=i;if(!i.editable||!e.song)return;const o=oe(e,s.view,t.x,t.y,t.coarse);if(o){if(e.locks.has(o.track,o.note[0],o.note[2]))return;i.commit(new Map([[o.track,{remove:[o.note],add:[]}]]),A.edited(A.remove,1),[]);return}xi(i,t.tick,t.pitch,ut(i,t))}function xi(i,t,e,s){const{song:o}=i.state,n=ue(i.state);if(!o||!n||!i.editable)return;const a=[Fs(t,s,o.bars),i.drawnLength,e,i.lastVelocity];i.emit("sound",{track:n.track,pitch:e,velocity:i.lastVelocity}),i.commit(Mi(n,a),A.edited(A.draw,1))}function Mi(i,t){return new Map([[i.track,{remove:[],add:[t],into:i}]])}function ne(i){return{track:i.track,tick:i.note[0],pitch:i.note[2]}}const Xa={a:"selectAll",c:"copy",x:"cut",v:"paste",d:"duplicate"},Za={Delete:"delete",Backspace:"delete",q:"quantise","+":"longer","-":"shorter"},Ja={ArrowUp:"up",ArrowDown:"down",ArrowLeft:"left",ArrowRight:"right"},tr={ArrowUp:"octaveUp",ArrowDown:"octaveDown",ArrowLeft:"shorter",ArrowRight:"longer"},er={ArrowUp:"louder",ArrowDown:"softer",ArrowLeft:"previousNote",ArrowRight:"nextNote"};class sr{constructor(t,e,s,o){this.host=t,this.commands=e,this.pointers=s,o.addEventListener("keydown",n=>{o.toggleAttribute("data-pointer",!1),!n.defaultPrevented&&this.handle(n)&&n.preventDefault()}),o.addEventListener("focus",()=>this.commands.describe()),o.addEventListener("blur",()=>o.toggleAttribute("data-pointer",!1))}handle(t){const e=t.key.length===1?t.key.toLowerCase():t.key;return e==="Escape"?this.escape():t.ctrlKey||t.metaKey?t.shiftKey||t.altKey?!1:this.runIf(Xa[e]):e.startsWith("Arrow")?this.arrow(t,e):t.altKey?!1:e==="Enter"||e===" "?this.choose():e==="i"||e==="Insert"?this.insert():t.shiftKey&&e!=="+"?!1:this.runIf(Za[e])}runIf(t){return!t||!(t==="selectAll")&&t!=="paste"&&t!=="quantise"&&this.host.state.selection.size===0?!1:(this.commands.run(t),!0)}arrow(t,e){if(this.host.state.selection.size>0){const s=t.altKey?er:t.shiftKey?tr:Ja;return this.runIf(s[e])}return t.altKey||t.shiftKey?!1:(e==="ArrowLeft"||e==="ArrowRight"?this.commands.walk(e==="ArrowRight"):this.commands.climb(e==="ArrowUp"),!0)}choose(){return this.host.state.walking?(this.commands.toggleFocused(),!0):!1}insert(){const{state:t,stage:e}=this.host;if(!this.host.editable)return!1;const s=127-Math.floor((e.view.top+e.view.height/2)/e.view.keyHeight);xi(this.host,t.cursor,t.focus?.pitch??t.selection.refs[0]?.pitch??s,t.grid);const[o]=t.selection.refs;return o&&this.commands.focus(o),!0}escape(){const{selection:t,walking:e,idea:s}=this.host.state;if(this.pointers.busy)this.pointers.cancel();else{if(s||t.size===0&&!e)return!1;this.commands.run("selectNone")}return!0}}const ir=6,or=12,nr=5,ar=.5,As=.94,rr=40;class lr{constructor(t,e){this.host=t,this.start=e,this.scrolls=!0;const{state:s}=t;this.range=s.range,this.loop=s.loop;const o=this.edges(),n=(e.coarse?or:ir)*t.stage.view.ratio,a=o!==null&&Math.abs(o[0]-e.x)<=n,r=o!==null&&Math.abs(o[1]-e.x)<=n;this.edge=(a||r)&&!e.shift;const l=s.song?.bars.at(Math.max(0,e.tick))??1;this.fixed=this.edge&&this.range?this.range[r?0:1]:l}move(t){const{host:e}=this,s=e.state.song?.bars;if(s){if(this.start.shift){const o=t.alt?0:e.state.grid||e.state.song?.ticksPerQuarter||0,n=[xt(this.start.tick,o,s),xt(t.tick,o,s)].sort((a,r)=>a-r);e.state.loop=n[0]===n[1]?this.loop:[n[0],n[1]]}else{const o=s.at(Math.max(0,t.tick));e.state.range=[Math.min(this.fixed,o),Math.max(this.fixed,o)]}e.stage.invalidate(v.ruler|v.overlay)}}end(t,e){const{host:s}=this;if(e&&this.start.shift)s.emit("loop",{loop:s.state.loop});else if(e)s.emit("range",{range:s.state.range});else if(this.start.shift)this.clearLoop();else if(s.state.song){const o=xt(Math.max(0,t.tick),t.alt?0:s.state.grid,s.state.song.bars);s.state.cursor=o,s.stage.invalidate(v.cursor),s.emit("seek",{tick:o})}}cancel(){this.host.state.range=this.range,this.host.state.loop=this.loop,this.host.stage.invalidate(v.ruler|v.overlay)}clearLoop(){this.loop&&(this.host.state.loop=null,this.host.stage.invalidate(v.ruler|v.overlay),this.host.emit("loop",{loop:null}))}edges(){const t=this.host.state.song?.bars;if(!t||!this.range)return null;const{view:e}=this.host.stage;return[E(e,t.start(this.range[0])),E(e,t.start(this.range[1]+1))]}}class cr{constructor(t,e){this.host=t,this.scrolls=!1,this.pitch=-1,this.move(e)}move(t){t.pitch!==this.pitch&&(this.pitch=t.pitch,this.host.sound(ue(this.host.state)?.track??"",t.pitch,this.host.lastVelocity))}end(){this.host.press([])}cancel(){this.host.press([])}}class hr{constructor(t,e){this.host=t,this.scrolls=!1,this.changed=new Map,this.last=e,this.move(e)}move(t){const{host:e,last:s}=this,{state:o,stage:n}=e;if(!e.editable)return;const a=nr*n.view.ratio,[r,l]=[Math.min(s.x,t.x)-a,Math.max(s.x,t.x)+a];for(const{track:d}of bi(o)){const{notes:u}=d;for(const g of u.within(Math.floor(R(n.view,r)),Math.ceil(R(n.view,l)))){const f=K(u,g),m=E(n.view,f[0]);if(m<r||m>l||!this.paintable(d.track,f))continue;const y=Ee(f,Zn(this.lineAt(t,m),n.lane.height,n.view.ratio));let w=this.changed.get(d.track);w||this.changed.set(d.track,w=new Map),w.set(g,[f,y])}}this.last=t;const h=([d,u])=>[d,[...u.values()].map(g=>g[1])];o.velocities=new Map([...this.changed].map(h)),n.invalidate(v.lane)}end(){const{host:t}=this;this.cancel();const e=new Map([...this.changed].map(([n,a])=>{const r=[...a.values()];return[n,{remove:r.map(([l])=>l),add:r.map(([,l])=>l)}]})),s=[...this.changed.values()].flatMap(n=>[...n.values()]),o=s[s.length-1];o&&(t.lastVelocity=o[1][3]),t.commit(e,A.changeVelocity,t.state.selection.refs)}cancel(){this.host.state.velocities=null,this.host.stage.invalidate(v.lane)}paintable(t,e){const{selection:s,locks:o}=this.host.state;return o.has(t,e[0],e[2])?!1:s.size===0||s.has(t,e[0],e[2])}lineAt(t,e){const{last:s}=this;if(t.x===s.x)return t.y;const o=Math.max(0,Math.min(1,(e-s.x)/(t.x-s.x)));return s.y+(t.y-s.y)*o}}class we{constructor(t,e,s,o=null){this.host=t,this.last=e,this.flicks=s,this.click=o,this.scrolls=!1,this.speed=[0,0]}move(t){const e=[this.last.x-t.x,this.last.y-t.y];this.speed=[e[0]*.6+this.speed[0]*.4,e[1]*.6+this.speed[1]*.4],this.last=t,this.host.stage.scrollBy(...e)}end(t,e){e?this.flicks&&!matchMedia("(prefers-reduced-motion: reduce)").matches&&this.glide():this.click?.()}cancel(){this.speed=[0,0]}glide(){const{view:t}=this.host.stage;this.host.stage.scrollBy(...this.speed);const e=this.host.stage.view.left===t.left&&this.host.stage.view.top===t.top;this.speed=[this.speed[0]*As,this.speed[1]*As],!e&&Math.hypot(...this.speed)>ar&&requestAnimationFrame(()=>this.glide())}}class dr{constructor(t,e,s){this.host=t,this.last=[e,s]}move(t,e){const{stage:s}=this.host,[o,n]=this.last,a=rr*s.view.ratio,r=(g,f)=>Math.abs(g)>a&&Math.abs(f)>a?Math.abs(f/g):1,l=[(o.x+n.x)/2,(o.y+n.y)/2],h=[(t.x+e.x)/2,(t.y+e.y)/2],[d,u]=[r(o.x-n.x,t.x-e.x),r(o.y-n.y,t.y-e.y)];s.setView(ee(s.view,d,u,...l)),s.scrollBy(l[0]-h[0],l[1]-h[1]),this.last=[t,e]}}const ur=3,pr=9,Es=.2,fr=0,Ts=1,gr=2;class mr{constructor(t,e){this.host=t,this.wrapper=e,this.gesture=null,this.pinch=null,this.moved=!1,this.pressed=null,this.fingers=new Map,this.scrolling=0;const{stage:s}=t;for(const o of[s.scroller,s.ruler,s.piano,s.lane])o.addEventListener("pointerdown",n=>this.down(n,o)),o.addEventListener("pointermove",n=>this.move(n)),o.addEventListener("pointerup",n=>this.up(n)),o.addEventListener("pointercancel",n=>this.lost(n)),o.addEventListener("wheel",n=>this.wheel(n,o),{passive:!1});s.scroller.addEventListener("dblclick",o=>this.doubleClick(o)),s.ruler.addEventListener("dblclick",o=>this.chooseBar(o)),s.scroller.addEventListener("contextmenu",o=>{t.state.tool==="draw"&&o.preventDefault()}),s.scroller.addEventListener("mousedown",o=>{o.button===Ts&&o.preventDefault()})}get busy(){return this.gesture!==null}cancel(){cancelAnimationFrame(this.scrolling),this.scrolling=0,this.gesture?.cancel(),this.gesture=null,this.pressed=null}point(t){const{view:e}=this.host.stage,s=this.host.stage.port.getBoundingClientRect(),o=(t.clientX-s.left)*e.ratio,a=this.pressed?.area===this.host.stage.lane?this.host.stage.lane.getBoundingClientRect().top:s.top,r=(t.clientY-a)*e.ratio;return{x:o,y:r,tick:R(e,o),pitch:D(e,r),alt:t.altKey,copy:t.ctrlKey||t.metaKey,shift:t.shiftKey,coarse:t instanceof PointerEvent&&t.pointerType==="touch"}}down(t,e){if(!(e===this.host.stage.scroller&&_s(t,e)||!this.host.state.song)){if(t.preventDefault(),this.wrapper.toggleAttribute("data-pointer",!0),this.wrapper.focus({preventScroll:!0}),e.setPointerCapture(t.pointerId),t.pointerType==="touch"){this.fingers.set(t.pointerId,t);const[o,n]=[...this.fingers.values()];if(o&&n){this.cancel(),this.pinch??=new dr(this.host,this.point(o),this.point(n));return}}this.gesture||(this.host.state.walking=!1,this.pressed={id:t.pointerId,event:t,area:e},this.moved=!1,this.gesture=this.begin(t,this.point(t),e),this.gesture||(this.pressed=null))}}begin(t,e,s){const{host:o}=this;if(t.button===Ts)return new we(o,e,!1);if(t.button===gr&&o.state.tool==="draw"&&s===o.stage.scroller)return new Ya(o,e);if(t.button!==fr)return null;if(s===o.stage.ruler)return new lr(o,e);if(s===o.stage.piano)return new cr(o,e);if(s===o.stage.lane)return new hr(o,e);const a=oe(o.state,o.stage.view,e.x,e.y,e.coarse);return a&&e.coarse&&o.state.tool==="select"&&!br(o,a)?new we(o,e,!0,()=>new Ss(o,a,e).end(e,!1)):a?a.edge&&!o.state.readonly?new Fa(o,a,e):new Ss(o,a,e):o.state.tool==="draw"&&!o.state.readonly?new Ga(o,e):e.coarse?new we(o,e,!0,()=>o.select([])):new ja(o,e)}move(t){if(this.fingers.has(t.pointerId)&&this.fingers.set(t.pointerId,t),this.pinch){const[o,n]=[...this.fingers.values()];o&&n&&this.pinch.move(this.point(o),this.point(n));return}if(!this.gesture||t.pointerId!==this.pressed?.id){!this.gesture&&t.pointerType!=="touch"&&this.hover(t);return}const e=this.pressed.event,s=Math.hypot(t.clientX-e.clientX,t.clientY-e.clientY);this.moved||=s>(t.pointerType==="touch"?pr:ur),this.moved&&(this.pressed={...this.pressed,event:this.pressed.event},this.gesture.move(this.point(t)),this.scrollOutside(t))}up(t){if(this.fingers.delete(t.pointerId),this.pinch){this.fingers.size===0&&(this.pinch=null);return}if(!this.gesture||t.pointerId!==this.pressed?.id)return;const{gesture:e}=this,s=this.point(t);cancelAnimationFrame(this.scrolling),this.scrolling=0,this.gesture=null,this.pressed=null,e.end(s,this.moved)}lost(t){this.fingers.delete(t.pointerId),this.fingers.size===0&&(this.pinch=null),t.pointerId===this.pressed?.id&&this.cancel()}scrollOutside(t){if(cancelAnimationFrame(this.scrolling),this.scrolling=0,!this.gesture?.scrolls)return;const e=this.host.stage.scroller.getBoundingClientRect(),s=e.left+this.host.stage.scroller.clientWidth,o=e.top+this.host.stage.scroller.clientHeight,n=Math.min(0,t.clientX-e.left)+Math.max(0,t.clientX-s),r=this.pressed?.area===this.host.stage.scroller?Math.min(0,t.clientY-e.top)+Math.max(0,t.clientY-o):0;n===0&&r===0||(this.scrolling=requestAnimationFrame(()=>{const{stage:l}=this.host,h=l.view;l.scrollBy(n*Es*h.ratio,r*Es*h.ratio),!(l.view.left===h.left&&l.view.top===h.top)&&(this.gesture?.move(this.point(t)),this.scrollOutside(t))}))}hover(t){const{host:e}=this;if(t.currentTarget!==e.stage.scroller)return;const{x:s,y:o}=this.point(t),n=oe(e.state,e.stage.view,s,o,!1),r=n&&e.state.locks.has(n.track,n.note[0],n.note[2])?"not-allowed":e.state.readonly?"default":n?.edge?"ew-resize":n?"grab":"";e.stage.scroller.style.cursor=r||(e.state.tool==="draw"?"crosshair":"default")}doubleClick(t){const{state:e,stage:s}=this.host;e.tool==="select"&&!_s(t,s.scroller)&&Qa(this.host,this.point(t))}chooseBar(t){const{state:e,stage:s}=this.host;if(!e.song)return;const o=e.song.bars.at(Math.max(0,this.point(t).tick));e.range=[o,o],s.invalidate(v.ruler|v.overlay),this.host.emit("range",{range:e.range})}wheel(t,e){const{stage:s}=this.host,o=zn(t,s.view.height/s.view.ratio),{x:n,y:a}=this.point(t),r=o.y||o.x;if(t.ctrlKey||t.metaKey)s.setView(ee(s.view,ms(r),1,n,0));else if(t.altKey)s.setView(ee(s.view,1,ms(r),0,a));else if(t.shiftKey)s.scrollBy((o.x||o.y)*s.view.ratio,0);else if(e!==s.scroller)s.scrollBy(o.x*s.view.ratio,o.y*s.view.ratio);else return;t.preventDefault()}}function br(i,{track:t,note:e}){return i.state.selection.has(t,e[0],e[2])}function _s(i,t){const e=t.getBoundingClientRect();return i.clientX-e.left>=t.clientWidth||i.clientY-e.top>=t.clientHeight}const $r=["(prefers-color-scheme: dark)","(forced-colors: active)"],kr=["class","style","data-theme"];class yr extends HTMLElement{constructor(){super(),this.state=dn(),this.watcher=null,this.media=$r.map(e=>matchMedia(e)),this.recolour=()=>this.stage.recolour();const t=this.attachShadow({mode:"open"});t.innerHTML=Sa,this.wrapper=t.querySelector(".roll"),this.stage=new Ia(t,this.state),this.host=new Ua(this.state,this.stage,this),this.commands=new Ba(this.host,t.querySelector("#note")),this.pointers=new mr(this.host,this.wrapper),new sr(this.host,this.commands,this.pointers,this.wrapper)}connectedCallback(){this.stage.connect();for(const t of this.media)t.addEventListener("change",this.recolour);this.watcher=new MutationObserver(this.recolour);for(const t of[document.documentElement,document.body,this])this.watcher.observe(t,{attributes:!0,attributeFilter:kr})}disconnectedCallback(){this.stage.disconnect();for(const t of this.media)t.removeEventListener("change",this.recolour);this.watcher?.disconnect()}focus(t){this.wrapper.focus(t)}get song(){return this.state.song}set song(t){t!==this.state.song&&(this.state.song=t,this.stage.showSong(!this.host.committing),this.host.forget())}get activeTrack(){return this.state.activeTrack}set activeTrack(t){t!==this.state.activeTrack&&(this.state.activeTrack=t,this.stage.showTracks())}get ghosts(){return this.state.ghosts}set ghosts(t){Cs(t,this.state.ghosts)||(this.state.ghosts=new Set(t),this.stage.showTracks())}get hiddenTracks(){return this.state.hidden}set hiddenTracks(t){Cs(t,this.state.hidden)||(this.state.hidden=new Set(t),this.stage.showTracks())}get idea(){return this.state.idea}set idea(t){const e=t!==null&&t===this.state.idea;this.state.idea=t,e?this.stage.grown():this.stage.invalidate(v.overlay)}get locks(){return this.state.locks}set locks(t){t!==this.state.locks&&(this.state.locks=t,this.stage.tiles.allStale(),this.stage.invalidate(v.notes))}get selection(){return this.state.selection.refs}set selection(t){this.host.showSelection(new Qt(t))}get range(){return this.state.range}set range(t){this.state.range=t,this.stage.invalidate(v.ruler|v.overlay)}get loop(){return this.state.loop}set loop(t){this.state.loop=t,this.stage.invalidate(v.ruler|v.overlay)}get tool(){return this.state.tool}set tool(t){this.state.tool=t}get grid(){return this.state.grid}set grid(t){t!==this.state.grid&&(this.state.grid=Math.max(0,t),this.stage.invalidate(v.grid))}get scaleTint(){return this.state.scaleTint}set scaleTint(t){t!==this.state.scaleTint&&(this.state.scaleTint=t,this.stage.invalidate(v.grid))}get readonly(){return this.state.readonly}set readonly(t){this.state.readonly=t}get busy(){return this.pointers.busy}cursorAt(t,e){this.state.cursor=t,e&&this.stage.follow(t),this.stage.moveCursor()}reveal(t,e){this.stage.reveal(t,e)}zoom(t,e){const{view:s}=this.stage;this.stage.setView(ee(s,t,e,s.width/2,s.height/2))}frame(){this.stage.frame()}zoomToFit(){this.stage.fit()}command(t){this.commands.run(t)}toClient({track:t,tick:e,pitch:s}){const o=Nt(this.state).find(m=>m.track.track===t),n=o?.track.notes.find(e,s)??-1;if(!o||n<0)return null;const{view:a,port:r}=this.stage,[l,h,d,u]=V(a,e,K(o.track.notes,n)[1],s),g=r.getBoundingClientRect(),{ratio:f}=a;return{x:g.left+l/f,y:g.top+h/f,width:d/f,height:u/f}}toClientTick(t){const{view:e,port:s}=this.stage;return s.getBoundingClientRect().left+E(e,t)/e.ratio}model(){const{song:t,selection:e,range:s}=this.state,o=t?_t(t,e.refs):[];return{song:t,selection:o,range:s,drawnNotes:this.stage.tiles.drawnNotes(this.stage.view)}}idle(){return this.stage.idle()}get frames(){return{...this.stage.record,tiles:this.stage.tiles.painted}}}function Cs(i,t){return i.size===t.size&&[...i].every(e=>t.has(e))}customElements.get("toccata-roll")||customElements.define("toccata-roll",yr);class vr extends C{static{this.styles=[N,L`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
        min-width: 0;
        background: var(--surface);
      }
      .tools {
        display: flex;
        align-items: center;
        gap: 4px;
        padding: 3px 8px;
        border-bottom: 1px solid var(--line);
        color: var(--ink-2);
        overflow-x: auto;
        scrollbar-width: none;
      }
      .tools button {
        min-height: 26px;
        padding: 0 8px;
        font-size: var(--size-small);
        flex: none;
      }
      .tools select {
        min-height: 26px;
        font-size: var(--size-small);
      }
      .tools .icon-only {
        width: 28px;
        padding: 0;
      }
      toccata-roll {
        flex: 1;
        min-height: 0;
        display: block;
      }
      .empty {
        position: absolute;
        inset: auto 0 40% 0;
        text-align: center;
        pointer-events: none;
        color: var(--ink-2);
        font-size: var(--size-big);
      }
      .roll {
        position: relative;
        flex: 1;
        min-height: 0;
        display: flex;
      }
      @media (max-width: 760px) {
        .wide {
          display: none !important;
        }
      }
    `]}render(){const{studio:t}=this,{view:e,piece:s,playing:o}=t,n=s?.song??null,a=Gt[e.grid]?.[1]??0,r=e.ghosts&&n?new Set(n.tracks.map(({track:l})=>l).filter(l=>l!==e.activeTrack)):new Set;return p`<div class="tools" role="toolbar" aria-label=${c.roll.tools}>
        ${this.tool("select",c.roll.select)}${this.tool("draw",c.roll.draw)}
        <label class="row"
          ><span class="wide">${c.roll.grid}</span
          ><select aria-label=${c.roll.grid} @change=${l=>t.set({grid:Number(_(l))})}>
            ${Gt.map(([l],h)=>z(h,l||c.roll.off,h===e.grid))}
          </select></label
        >
        ${this.flag(c.roll.scale,"scale",e.scale,()=>t.set({scale:!e.scale}))}
        ${this.flag(c.roll.ghosts,"ghosts",e.ghosts,()=>t.set({ghosts:!e.ghosts}))}
        ${this.flag(c.roll.follow,"follow",o.follow,()=>{o.follow=!o.follow,t.changed()})}
        <span class="spread"></span>
        ${this.flag(c.roll.table,"table",e.table,()=>t.set({table:!e.table}))}
        <button
          class="icon-only"
          aria-label=${c.commands.zoomOut}
          title=${this.tip("zoomOut")}
          @click=${()=>t.roll?.zoom(.8,1)}
        >
          ${M("minus")}
        </button>
        <button class="wide" title=${this.tip("fit")} @click=${()=>t.roll?.zoomToFit()}>${c.roll.fit}</button>
        <button
          class="icon-only"
          aria-label=${c.commands.zoomIn}
          title=${this.tip("zoomIn")}
          @click=${()=>t.roll?.zoom(1.25,1)}
        >
          ${M("plus")}
        </button>
      </div>
      <div class="roll">
        <toccata-roll
          .song=${n}
          .activeTrack=${e.activeTrack}
          .ghosts=${r}
          .hiddenTracks=${e.hidden}
          .locks=${s?.locks??wr}
          .selection=${e.selection}
          .range=${e.range}
          .loop=${o.loop}
          .tool=${e.tool}
          .grid=${n?Math.round(a*n.ticksPerQuarter):0}
          .scaleTint=${e.scale}
          .readonly=${!s}
          @edit=${this.on("edit",({operations:l,selection:h})=>this.edited(l,h))}
          @select=${this.on("select",({selection:l})=>t.set({selection:l}))}
          @range=${this.on("range",({range:l})=>t.chooseBars(l))}
          @lock=${this.on("lock",({notes:l,locked:h})=>{t.attempt(()=>s?.lock(l,h)??Promise.resolve())})}
          @sound=${this.on("sound",({track:l,pitch:h,velocity:d})=>this.touch(l,h,d))}
          @seek=${this.on("seek",({tick:l})=>o.seek(l))}
          @loop=${this.on("loop",({loop:l})=>{e.loopOn=!1,o.setLoop(l)})}
          @describe=${this.on("describe",({text:l})=>t.announcer.say(l))}
        ></toccata-roll>
        ${n&&Us(n)&&!t.layer?p`<p class="empty">${c.roll.empty}</p>`:b}
      </div>`}firstUpdated(){this.studio.playing.roll=this.renderRoot.querySelector("toccata-roll")}edited(t,e){this.studio.view.selection=e,this.studio.edit(t),this.studio.roll&&(this.studio.roll.song=this.studio.song)}touch(t,e,s){const o=this.studio.song?.track(t);this.studio.playing.player.touch(o?.program??0,o?.drum??!1,e,s)}on(t,e){return s=>e(s.detail)}tool(t,e){return p`<button
      aria-pressed=${this.studio.view.tool===t}
      title=${this.tip(t)}
      @click=${()=>this.studio.set({tool:t})}
    >
      ${e}
    </button>`}flag(t,e,s,o){return p`<button aria-pressed=${s} title=${this.tip(e)} @click=${o}>${t}</button>`}tip(t){const e=B(t);return`${ei(e,"plain")?.name??""} (${Pt(e,ht)})`}}const wr={has:()=>!1,list:()=>[]};P("toccata-stage",vr);function xr(i,t){const{bar:e,beat:s,rest:o}=i.place(t),n=Math.round(o*1e3)/1e3;return`${e}.${s}${n>0?String(n).slice(1):""}`}function Mr(i,t,e,s,o){const[n,a,r,l]=i;if(t==="pitch"){const d=Di(e);return d===null?null:[n,a,d,l]}if(t==="place"){const d=/^\s*(\d{1,6})\.(\d{1,2})(?:\.(\d{1,6}))?\s*$/.exec(e);if(!d)return null;const u=Number(d[1]),[g,f]=s.meter(Math.max(1,u)),m=Number(d[2]);if(u<1||m<1||m>g)return null;const y=s.start(u)+(m-1+ +`0.${d[3]??"0"}`)*o*4/f;return[Math.round(y),a,r,l]}const h=Number(e.trim().replace(",",".")||NaN);return t==="length"?h>0&&h<=1e3?[n,Math.max(1,Math.round(h*o)),r,l]:null:Number.isInteger(h)&&h>=1&&h<=127?[n,a,r,h]:null}function Sr(i,t,{track:e},s,o){const n=new Map([[e,{remove:[s],add:o?[o]:[]}]]),{operations:a,placed:r}=Vs(i,n,t);return o&&r.length===0?null:a}const yt=32,Rs=6;class Ar extends C{static{this.properties={...C.properties,top:{state:!0}}}static{this.styles=[N,L`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
        background: var(--surface);
        border-top: 1px solid var(--line);
      }
      header {
        display: flex;
        align-items: center;
        padding: 4px 8px 4px 12px;
        gap: 8px;
      }
      .scroller {
        overflow: auto;
        flex: 1;
        position: relative;
      }
      .row {
        display: grid;
        grid-template-columns: 1.4fr 1fr 1fr 1fr 56px 40px;
        gap: 4px;
        padding: 0 12px;
        height: ${yt}px;
        align-items: center;
        max-width: 640px;
      }
      .head {
        position: sticky;
        top: 0;
        background: var(--surface);
        color: var(--ink-2);
        font-size: var(--size-small);
        z-index: 1;
        border-bottom: 1px solid var(--line);
      }
      .head > span {
        position: relative;
        padding-left: 9px;
      }
      .body {
        position: relative;
        height: var(--height);
      }
      .body .row {
        position: absolute;
        left: 0;
        right: 0;
        top: var(--top);
      }
      .body .row.selected {
        background: var(--accent-soft);
      }
      input:not([type="checkbox"]) {
        width: 100%;
        min-height: 26px;
        border-color: transparent;
        background: transparent;
        font-family: var(--mono);
        font-size: var(--size-small);
      }
      input:not([type="checkbox"]):hover,
      input:focus {
        border-color: var(--line-strong);
        background: var(--raised);
      }
      input[aria-invalid="true"] {
        border-color: var(--bad) !important;
      }
    `]}constructor(){super(),this.top=0}render(){const{studio:t}=this,{song:e,view:s}=t,o=s.activeTrack===null?void 0:e?.track(s.activeTrack);return p`<header>
        <h2>${c.table.label}${o?`: ${et(o)}`:""}</h2>
        <span class="spread"></span>
        <button
          class="small icon-only"
          aria-label=${c.table.close}
          title=${c.table.close}
          @click=${()=>t.set({table:!1})}
        >
          ${M("close")}
        </button>
      </header>
      ${!e||!o||o.notes.count===0?p`<p class="muted row">${c.table.none}</p>`:this.table(o,e.bars,e.ticksPerQuarter)}`}table(t,e,s){const{notes:o}=t,n=this.renderRoot.querySelector(".scroller")?.clientHeight??240,a=Math.max(0,Math.floor(this.top/yt)-Rs),r=Math.min(o.count,Math.ceil((this.top+n)/yt)+Rs),l=Array.from({length:Math.max(0,r-a)},(h,d)=>a+d);return p`<div
      class="scroller"
      role="table"
      aria-label=${c.table.label}
      aria-rowcount=${o.count+1}
      tabindex="0"
      @scroll=${h=>{this.top=h.currentTarget.scrollTop}}
    >
      <div class="row head" role="row" aria-rowindex="1">
        ${[c.table.bar,c.table.length,c.table.pitch,c.table.velocity,c.table.lock,c.table.delete].map(h=>p`<span role="columnheader"
              ><span class=${h===c.table.delete?"unseen":""}>${h}</span></span
            >`)}
      </div>
      <div class="body" role="rowgroup" ${te({"--height":`${o.count*yt}px`})}>
        ${l.map(h=>this.row(t,h,e,s))}
      </div>
    </div>`}row(t,e,s,o){const{studio:n}=this,a=K(t.notes,e),r={track:t.track,tick:a[0],pitch:a[2]},l=n.piece?.locks.has(r.track,r.tick,r.pitch)??!1,h=n.view.selection.some(({track:u,tick:g,pitch:f})=>u===r.track&&g===r.tick&&f===r.pitch),d=xr(s,a[0]);return p`<div
      class="row ${h?"selected":""}"
      role="row"
      aria-rowindex=${e+2}
      ${te({"--top":`${e*yt}px`})}
      @focusin=${()=>!h&&n.set({selection:[r]})}
    >
      ${this.field(t,a,"place",c.table.bar,d,l)}
      ${this.field(t,a,"length",c.table.length,Er(a[1]/o),l)}
      ${this.field(t,a,"pitch",c.table.pitch,dt(a[2]),l)}
      ${this.field(t,a,"velocity",c.table.velocity,String(a[3]),l)}
      <span role="cell"
        ><input
          type="checkbox"
          aria-label=${c.table.lock}
          .checked=${l}
          @change=${()=>{n.attempt(()=>n.piece?.lock([r],!l)??Promise.resolve())}}
      /></span>
      <span role="cell"
        ><button
          class="small icon-only"
          aria-label=${`${c.table.delete} ${dt(a[2])} ${d}`}
          title=${c.table.delete}
          ?disabled=${l}
          @click=${()=>this.put(t,a,null)}
        >
          ${M("trash")}
        </button></span
      >
    </div>`}field(t,e,s,o,n,a){return p`<span role="cell"
      ><input
        aria-label=${o}
        .value=${n}
        ?readonly=${a}
        @change=${r=>this.change(t,e,s,r)}
    /></span>`}change(t,e,s,o){const{song:n}=this.studio,a=o.target,r=n?Mr(e,s,_(o),n.bars,n.ticksPerQuarter):null;if(a.setAttribute("aria-invalid",String(r===null)),!r)return this.studio.announcer.say(c.table.bad(a.value));this.put(t,e,r)||(a.setAttribute("aria-invalid","true"),this.studio.announcer.say(c.table.lockedThere))}put(t,e,s){const{piece:o}=this.studio,n=o?Sr(o.song,o.locks,t,e,s):null;return n&&this.studio.edit(n),n!==null}}function Er(i){return String(Math.round(i*1e3)/1e3)}P("toccata-note-table",Ar);function Tr(i,t,e=!1){const s=new Map(i.map(d=>[d.id,d])),o=i.filter(d=>!d.deleted);if(e)return o.filter(({star:d})=>d).sort(xe).map(d=>({take:d,depth:0}));const n=d=>{let u=d.parent===null?void 0:s.get(d.parent);for(;u?.deleted;)u=u.parent===null?void 0:s.get(u.parent);return u?.id??null},a=new Map;for(const d of o){const u=n(d),g=a.get(u);g?g.push(d):a.set(u,[d])}const r=new Set;for(let d=t===null?void 0:s.get(t);d;d=s.get(n(d)??""))r.add(d.id);const l=[],h=(a.get(null)??[]).sort((d,u)=>xe(u,d)).map(d=>({take:d,depth:0,done:!1}));for(;h.length>0;){const d=h.pop();if(!d)break;if(d.done){l.push({take:d.take,depth:d.depth});continue}h.push({...d,done:!0});const u=(a.get(d.take.id)??[]).sort((m,y)=>xe(y,m)),g=u.find(({id:m})=>r.has(m))??(u.length===1?u[0]:void 0),f=g?[...u.filter(m=>m!==g),g]:u;for(const m of f)h.push({take:m,depth:d.depth+(m===g?0:1),done:!1})}return l}function xe(i,t){return t.created-i.created}const _r=14,Cr=6;class Rr extends C{constructor(){super(),this.at=-1,this.renaming=null,this.focused=null}static{this.properties={...C.properties,renaming:{state:!0},focused:{state:!0}}}static{this.styles=[N,L`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
      }
      .intro {
        padding: 2px 12px 6px;
        display: flex;
        gap: 8px;
        align-items: center;
        justify-content: space-between;
      }
      .tree {
        padding: 0 6px;
        flex: 1;
        min-height: 60px;
        overflow: auto;
      }
      .take {
        display: flex;
        align-items: center;
        gap: 2px;
        padding: 2px 2px 2px calc(6px + var(--indent));
        border-radius: var(--radius);
        min-height: 34px;
      }
      .take.head {
        background: var(--accent-soft);
      }
      .take.compared {
        background: var(--idea-soft);
      }
      .take .acts {
        display: none;
        flex: none;
      }
      .take:hover .acts,
      .take:focus-within .acts,
      .take.head .acts {
        display: flex;
      }
      .what {
        flex: 1;
        min-width: 0;
        text-align: left;
        display: block;
        padding: 2px 4px;
        min-height: 30px;
      }
      .what:hover {
        background: none;
      }
      .title {
        display: block;
      }
      .head .title {
        font-weight: 600;
      }
      .sub {
        display: block;
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      .failed .sub {
        color: var(--bad);
      }
      .starred {
        color: var(--accent);
      }
      .compare,
      .locks {
        padding: 8px 12px;
        border-top: 1px solid var(--line);
      }
      .compare .row {
        flex-wrap: wrap;
        margin-top: 6px;
      }
      .locks ul {
        list-style: none;
        margin: 4px 0 0;
        padding: 0;
        max-height: 180px;
        overflow: auto;
      }
      .locks li {
        display: flex;
        align-items: center;
        gap: 6px;
      }
      .locks header {
        display: flex;
        align-items: center;
        justify-content: space-between;
      }
      .rename {
        width: 100%;
        min-height: 28px;
      }
      @media (hover: none) {
        .take .acts {
          display: flex;
        }
      }
    `]}willUpdate(){super.willUpdate(),this.at=this.items().findIndex(t=>t.matches(":focus-within"))}updated(){const t=this.items();if(this.at<0||this.renaming||t.some(s=>s.matches(":focus-within")))return;(t.find(s=>s.dataset.take===this.focused)??t[Math.min(this.at,t.length-1)])?.querySelector(".what")?.focus()}items(){return[...this.renderRoot.querySelectorAll(".take")]}render(){const{studio:t}=this,{piece:e,view:s}=t,o=[...e?.takes.values()??[]],n=Tr(o,e?.take??null,s.starredOnly),a=e?.take??null,r=[this.focused,a].find(h=>n.some(({take:d})=>d.id===h))??n[0]?.take.id,l=s.compare?e?.takes.get(s.compare.take):void 0;return p` <div class="intro">
        <p class="muted small">${c.takes.help}</p>
        <button
          class="small icon-only"
          aria-pressed=${s.starredOnly}
          aria-label=${c.takes.starred}
          title=${c.takes.starred}
          @click=${()=>t.set({starredOnly:!s.starredOnly})}
        >
          ${M("star")}
        </button>
      </div>
      <div class="tree" role="tree" aria-label=${c.takes.label} @keydown=${this.treeKey}>
        ${de(n,({take:h})=>h.id,h=>this.row(h,h.take.id===r))}
      </div>
      ${l&&s.compare?this.comparison(l,s.compare.heard):b} ${this.locked()}`}row({take:t,depth:e},s){const{studio:o}=this,n=t.id===o.piece?.take,a=o.view.compare?.take===t.id,r=vt(t),l=[c.takes.kinds[t.kind],t.kind==="idea"&&t.state!=="growing"||t.kind==="recording"?c.tracks.notes(t.notes):"",c.takes.states[t.state],n?c.takes.here:""];return p`<div
      class="take ${n?"head":""} ${a?"compared":""} ${t.state}"
      role="treeitem"
      aria-level=${e+1}
      aria-selected=${n}
      data-take=${t.id}
      ${te({"--indent":`${Math.min(e,Cr)*_r}px`})}
    >
      ${t.star?p`<span class="starred" title=${c.notices.starred}>${M("star")}</span>`:b}
      ${this.renaming===t.id?p`<input
              class="rename"
              aria-label=${c.takes.rename}
              .value=${t.title}
              @keydown=${h=>this.renameKey(t,h)}
              @blur=${h=>this.renamed(t,h)}
            />`:p`<button
              class="what"
              tabindex=${s?0:-1}
              title=${t.error??c.takes.go}
              @click=${()=>this.choose(t)}
              @focus=${()=>{this.focused=t.id}}
            >
              <span class="title cut">${r}</span><span class="sub cut">${l.filter(Boolean).join(" · ")}</span>
            </button>`}
      <span class="acts">
        ${n?b:this.act("ear",a?c.takes.compareStop:c.takes.compare,()=>{o.compare(a?null:t.id)},a)}
        ${this.act("star",t.star?c.takes.unstar:c.takes.star,()=>{qt(o,t,{star:!t.star})})}
        ${this.act("pencil",`${c.takes.rename} (F2)`,()=>this.rename(t))}
        ${this.act("down",c.commands.midi,()=>{He(o,t.id,"mid")})}
        ${n?b:this.act("trash",c.takes.delete,()=>{je(o,t)})}
      </span>
    </div>`}act(t,e,s,o=!1){return p`<button
      class="small icon-only"
      tabindex="-1"
      aria-pressed=${o?"true":b}
      aria-label=${e}
      title=${e}
      @click=${s}
    >
      ${M(t)}
    </button>`}comparison(t,e){const{studio:s}=this,o=s.piece?.take,n=a=>{o&&s.attempt(async()=>{await s.api.rate(o,t.id,a),s.notices.say(c.notices.rated)})};return p`<section class="compare" aria-label=${c.takes.comparing(vt(t))}>
      <h3>${c.takes.comparing(vt(t))}</h3>
      <p class="small muted">${c.takes.compareHow}</p>
      <div class="row">
        <button class="outlined" aria-pressed=${!e} @click=${()=>{s.compare(t.id,!1)}}>
          ${c.takes.hereBetter}
        </button>
        <button class="outlined" aria-pressed=${e} @click=${()=>{s.compare(t.id,!0)}}>
          ${vt(t)}
        </button>
      </div>
      <div class="row small">
        <span class="muted">${c.takes.better}:</span>
        <button class="small outlined" @click=${()=>o&&n(o)}>${c.takes.hereBetter}</button>
        <button class="small outlined" @click=${()=>n(t.id)}>${vt(t)}</button>
        <button class="small" @click=${()=>{s.compare(null)}}>${c.takes.compareStop}</button>
      </div>
    </section>`}locked(){const{piece:t}=this.studio;if(!t)return b;const e=t.locks.refs.filter(({track:s,tick:o,pitch:n})=>(t.song.track(s)?.notes.find(o,n)??-1)>=0);return e.length===0?b:p`<section class="locks" aria-label=${c.takes.locks}>
      <header>
        <h3>${c.takes.locks} (${e.length})</h3>
        <button class="small" @click=${()=>{this.studio.attempt(()=>t.lock(e,!1))}}>
          ${c.takes.unlockAll}
        </button>
      </header>
      <ul>
        ${e.slice(0,200).map(s=>{const o=t.song.track(s.track),{bar:n,beat:a}=t.song.bars.place(s.tick);return p`<li>
            ${M("lock")}<span class="cut spread"
              >${dt(s.pitch)}, ${n}.${a}${o?`, ${et(o)}`:""}</span
            >
            <button class="small" @click=${()=>{this.studio.attempt(()=>t.lock([s],!1))}}>
              ${c.takes.unlock}
            </button>
          </li>`})}
      </ul>
    </section>`}choose(t){t.state==="growing"||t.state==="failed"?this.studio.attempt(()=>this.studio.ideas.open(t)):this.studio.goto(t)}treeKey(t){const e=this.items(),s=e.findIndex(a=>a.matches(":focus-within")),o=this.studio.piece?.takes.get(e[s]?.dataset.take??"");if(!o||this.renaming||Q(t))return;const n={ArrowDown:1,ArrowUp:-1}[t.key];if(n!==void 0)e[s+n]?.querySelector(".what")?.focus();else if(t.key==="F2")this.rename(o);else if(t.key==="Delete"&&o.id!==this.studio.piece?.take)je(this.studio,o);else if(t.key==="*")qt(this.studio,o,{star:!o.star});else if(t.key.toLowerCase()==="b"&&o.id!==this.studio.piece?.take&&this.studio.view.compare?.take!==o.id)this.studio.compare(o.id);else return;t.preventDefault(),t.stopPropagation()}rename(t){this.renaming=t.id,this.focused=t.id,this.updateComplete.then(()=>Ue(this.renderRoot.querySelector(".rename")))}renameKey(t,e){e.stopPropagation(),!Q(e)&&(e.key==="Escape"&&(this.renaming=null),e.key==="Enter"&&this.renamed(t,e))}renamed(t,e){if(this.renaming!==t.id)return;this.renaming=null;const s=_(e).trim();s!==t.title&&qt(this.studio,t,{title:s})}}function vt(i){return i.title?i.verb?i.title.replace(new RegExp(`^${i.verb}\\b`,"i"),c.verbs[i.verb].name):i.title:i.kind==="idea"&&i.verb?`${c.verbs[i.verb].name}${i.bars?`, ${c.range.bars(...i.bars).toLowerCase()}`:""}`:c.takes.kinds[i.kind]}P("toccata-takes",Rr);class Lr extends C{static{this.properties={...C.properties,renaming:{state:!0}}}static{this.styles=[N,L`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
      }
      header {
        display: flex;
        align-items: center;
        padding: 8px 8px 4px 12px;
      }
      .none {
        padding: 4px 12px;
      }
      ul {
        list-style: none;
        margin: 0;
        padding: 0 6px 8px;
        overflow: auto;
        flex: 1;
      }
      li {
        position: relative;
        display: grid;
        grid-template-columns: 4px 1fr auto;
        gap: 8px;
        align-items: center;
        padding: 5px 4px 5px 0;
        border-radius: var(--radius);
      }
      li.active {
        background: var(--accent-soft);
      }
      li.silent .text {
        opacity: 0.62;
      }
      .colour {
        width: 4px;
        align-self: stretch;
        border-radius: 2px;
        background: var(--colour);
      }
      .text {
        display: block;
        text-align: left;
        min-height: 34px;
        padding: 0;
        min-width: 0;
        background: none;
      }
      .text:hover {
        background: none;
      }
      .name {
        display: -webkit-box;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 2;
        overflow: hidden;
        overflow-wrap: anywhere;
        white-space: normal;
        font-weight: 600;
        line-height: 1.25;
      }
      .instrument {
        display: block;
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      .marks {
        display: flex;
        gap: 1px;
      }
      .mark {
        width: 22px;
        min-height: 24px;
        padding: 0;
        font: 700 11px / 1 var(--font);
        color: var(--ink-2);
        border-radius: 4px;
      }
      .mark[aria-pressed="true"].mute {
        background: var(--bad-soft);
        color: var(--bad);
      }
      .mark[aria-pressed="true"].solo {
        background: var(--accent);
        color: var(--accent-ink);
      }
      input,
      select {
        width: 100%;
        min-height: 26px;
        margin: 1px 0;
      }
      .mix {
        grid-column: 2 / -1;
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 0 8px;
        align-items: center;
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      @media (pointer: coarse) {
        .mark {
          width: 34px;
          min-height: 34px;
        }
      }
    `]}constructor(){super(),this.renaming=null}render(){const{studio:t}=this,e=t.song?.tracks??[];return p` <header>
        <h2>${c.tracks.label}</h2>
        <span class="spread"></span>
        <button class="small" @click=${()=>t.press("accompany")} title=${c.commands.accompany}>
          ${M("plus")}${c.tracks.add}
        </button>
      </header>
      ${e.length===0?p`<p class="muted none">${c.tracks.none}</p>`:""}
      <ul aria-label=${c.tracks.label}>
        ${de(e,s=>s.track,(s,o)=>this.row(s,o))}
      </ul>`}row(t,e){const{studio:s}=this,{view:o,playing:n}=s,a=t.track,r=et(t),l=n.muted.has(a),h=n.soloed.has(a),d=o.hidden.has(a),u=l||n.soloed.size>0&&!h||d,g=a===o.activeTrack;return p`<li class="${g?"active":""} ${u?"silent":""}">
      <span class="colour" ${te({"--colour":wn(e)})}></span>
      ${this.renaming===a?this.fields(t):p` <button
              class="text"
              data-track=${a}
              aria-current=${g}
              title=${`${c.tracks.notes(t.notes.count)} – ${c.tracks.rename}: F2`}
              @click=${()=>s.set({activeTrack:a})}
              @dblclick=${()=>this.rename(a)}
              @keydown=${f=>f.key==="F2"&&this.rename(a)}
            >
              <span class="name" title=${r}>${r}</span>
              <span class="instrument cut">${e+1} · ${Ct(t.program,t.drum)}</span>
            </button>`}
      <span class="marks">
        ${this.mark("M","mute",c.tracks.mute,r,l,()=>s.toggleIn("muted",a))}
        ${this.mark("S","solo",c.tracks.solo,r,h,()=>s.toggleIn("soloed",a))}
        <button
          class="mark"
          aria-pressed=${d}
          aria-label=${`${d?c.tracks.show:c.tracks.hide} ${r}`}
          title=${d?c.tracks.show:c.tracks.hide}
          @click=${()=>s.toggleIn("hidden",a)}
        >
          ${M(d?"eyeOff":"eye")}
        </button>
      </span>
      ${g?this.mix(t,r):b}
    </li>`}mix(t,e){const s=(o,n,a)=>p`<label for=${o}>${n}</label
        ><input
          id=${o}
          type="range"
          min="0"
          max="127"
          aria-label=${`${n}, ${e}`}
          title=${c.tracks.usual}
          .value=${St(String(t[o]??a))}
          @change=${r=>this.set(t,{[o]:Number(_(r))})}
          @dblclick=${()=>this.set(t,{[o]:a})}
        />`;return p`<div class="mix">
      ${s("volume",c.tracks.volume,Ui)} ${s("pan",c.tracks.pan,Bi)}
    </div>`}set(t,e){this.studio.edit([{type:"mix",track:t.track,...e}])}fields(t){return p`<div @focusout=${this.leave} @keydown=${e=>this.fieldKey(e,t)}>
      <input
        class="field"
        aria-label=${c.tracks.rename}
        .value=${et(t)}
        @change=${e=>this.studio.edit([{type:"rename",track:t.track,name:_(e)}])}
      />
      ${t.drum?"":p`<select
              aria-label=${c.tracks.program}
              @change=${e=>this.studio.edit([{type:"program",track:t.track,program:Number(_(e))}])}
            >
              ${Bs.map((e,s)=>z(s,e,s===t.program))}
            </select>`}
    </div>`}mark(t,e,s,o,n,a){return p`<button
      class="mark ${e}"
      aria-pressed=${n}
      aria-label=${`${s} ${o}`}
      title=${s}
      @click=${a}
    >
      ${t}
    </button>`}rename(t){this.renaming=t,this.updateComplete.then(()=>Ue(this.renderRoot.querySelector(".field")))}leave(t){const e=t.currentTarget;t.relatedTarget instanceof Node&&e.contains(t.relatedTarget)||(this.renaming=null)}fieldKey(t,e){t.stopPropagation();const s=t.target;Q(t)||t.key!=="Enter"&&t.key!=="Escape"||(t.key==="Escape"&&s instanceof HTMLInputElement&&(s.value=et(e)),s.blur(),this.renaming=null,this.updateComplete.then(()=>this.renderRoot.querySelector(`[data-track="${CSS.escape(e.track)}"]`)?.focus()))}}P("toccata-tracks",Lr);const Vt=90,Wt=4;class zr extends lt{constructor(){super(),this.observer=null,this.curve=[]}static{this.properties={curve:{attribute:!1}}}static{this.styles=L`
    :host {
      display: block;
    }
    canvas {
      display: block;
      width: 100%;
      height: ${Vt}px;
    }
  `}connectedCallback(){super.connectedCallback(),this.observer=new ResizeObserver(()=>this.draw()),this.observer.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.observer?.disconnect()}render(){const t=this.curve.at(-1),e=t?`${c.train.curve}. ${c.train.step} ${t[0]}, ${c.train.loss} ${(t[2]??t[1]??0).toFixed(3)}`:c.train.curve;return p`<canvas role="img" aria-label=${e}></canvas>`}updated(t){this.draw()}draw(){const t=this.renderRoot.querySelector("canvas"),e=t?.getContext("2d"),s=this.clientWidth;if(!t||!e||s===0)return;const o=devicePixelRatio||1;t.width=Math.round(s*o),t.height=Math.round(Vt*o),e.scale(o,o),e.clearRect(0,0,s,Vt);const n=this.curve.flatMap(([,f,m])=>[f,m]).filter(f=>f!==null),[a,r]=[Math.min(...n),Math.max(...n)],l=Math.max(1,this.curve.at(-1)?.[0]??1);if(n.length===0)return;const h=f=>Wt+f/l*(s-2*Wt),d=f=>Wt+(1-(r>a?(f-a)/(r-a):.5))*(Vt-2*Wt),u=getComputedStyle(this);e.lineJoin="round",this.line(e,1,h,d,u.getPropertyValue("color"),1);const g=this.colour("--accent");this.line(e,2,h,d,g,2),e.fillStyle=g;for(const f of this.curve)f[2]!==null&&(e.beginPath(),e.arc(h(f[0]),d(f[2]),2.5,0,2*Math.PI),e.fill())}line(t,e,s,o,n,a){t.beginPath();let r=!1;for(const l of this.curve){const h=l[e];h!==null&&(r?t.lineTo(s(l[0]),o(h)):t.moveTo(s(l[0]),o(h)),r=!0)}t.strokeStyle=n,t.lineWidth=a,t.stroke()}colour(t){const e=this.renderRoot.querySelector("canvas");return e?(e.style.color=`var(${t})`,getComputedStyle(e).color):"gray"}}P("toccata-curve",zr);const Hr=".mid,.midi,.kar,.rmi";class Pr extends C{constructor(){super(),this.loaded=!1,this.over=!1,this.chosen="",this.kind="finetune"}static{this.properties={...C.properties,over:{state:!0},chosen:{state:!0},kind:{state:!0}}}static{this.styles=[N,oi,L`
      :host {
        display: block;
        overflow: auto;
        padding: 4px 12px 16px;
      }
      .drop {
        border: 1.5px dashed var(--line-strong);
        border-radius: var(--radius-big);
        padding: 14px 10px;
        text-align: center;
        margin: 10px 0;
      }
      .drop.over {
        border-color: var(--accent);
        background: var(--accent-soft);
      }
      .row.wrapped {
        flex-wrap: wrap;
      }
      .drop .row {
        justify-content: center;
        margin-top: 8px;
        flex-wrap: wrap;
      }
      form {
        display: grid;
        gap: 8px;
      }
      .check {
        border: 1px solid var(--line);
        border-radius: var(--radius);
        padding: 8px 10px;
        font-size: var(--size-small);
      }
      .check dl {
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 2px 10px;
        margin: 4px 0 0;
      }
      .check dt {
        color: var(--ink-2);
      }
      .check dd {
        margin: 0;
        overflow-wrap: anywhere;
      }
      .training {
        border-top: 1px solid var(--line);
        padding: 10px 0;
        display: grid;
        gap: 6px;
      }
      progress {
        width: 100%;
        height: 6px;
        accent-color: var(--accent);
      }
      .error {
        color: var(--bad);
      }
      .curve {
        color: var(--ink-2);
      }
      h2 {
        margin: 12px 0 4px;
      }
    `]}updated(){this.loaded||(this.loaded=!0,this.studio.attempt(()=>this.studio.trainings.loadMusic()))}render(){const{trainings:t}=this.studio,e=t.uploading;return p`<p class="muted small">${c.train.intro}</p>
      <div
        class="drop ${this.over?"over":""}"
        data-takes-files
        @dragover=${this.dragOver}
        @dragleave=${()=>{this.over=!1}}
        @drop=${this.drop}
      >
        ${e?p`<p role="status">${c.train.uploading(e.done,e.all)}</p>
                <progress max=${e.all} value=${e.done}></progress>`:p`<p>${c.train.drop}</p>
                <div class="row">
                  <button class="outlined" @click=${()=>{this.choose(!0)}}>
                    ${M("folder")}${c.train.folder}
                  </button>
                  <button class="outlined" @click=${()=>{this.choose(!1)}}>${c.train.files}</button>
                </div>`}
      </div>
      ${this.form()} ${t.list.length===0?b:p`<h2>${c.train.trainings}</h2>`}
      ${de(t.list,({id:s})=>s,s=>this.training(s))}`}form(){const{trainings:t,server:e}=this.studio,{music:s}=t,o=s.find(({name:a})=>a===this.chosen)??s[0];if(!o)return p`<p class="muted">${c.train.noMusic}</p>`;const n=t.checks.get(o.name);return p`<form @submit=${this.start}>
      <label
        ><span>${c.train.music}</span
        ><select
          name="music"
          @change=${a=>{this.chosen=_(a)}}
        >
          ${s.map(({name:a,files:r})=>z(a,`${a} (${c.train.filesCount(r)})`,a===o.name))}
        </select></label
      >
      <div class="row">
        <button
          type="button"
          class="outlined"
          ?disabled=${n==="running"}
          @click=${()=>{this.studio.attempt(()=>t.check(o.name))}}
        >
          ${n==="running"?c.train.checking:c.train.check}
        </button>
      </div>
      ${n&&n!=="running"?Or(n):b}
      <label
        ><span>${c.train.kind}</span
        ><select
          name="kind"
          @change=${a=>{this.kind=_(a)}}
        >
          ${z("finetune",c.train.finetune,this.kind==="finetune")}
          ${z("train",c.train.train,this.kind==="train")}
        </select></label
      >
      ${this.kind==="finetune"?p`<label
              ><span>${c.train.base}</span
              ><select name="base">
                ${(e?.models??[]).map(({name:a,title:r})=>p`<option value=${a} ?selected=${a===this.studio.model?.name}>${r||a}</option>`)}
              </select></label
            >`:b}
      <div class="two">
        <label
          ><span>${c.train.name}</span><input name="name" required maxlength="80" .value=${`${o.name}-model`}
        /></label>
        <label
          ><span>${c.train.minutes}</span><input name="minutes" type="number" min="0.1" step="any" value="10" required
        /></label>
      </div>
      <div><button class="primary" type="submit">${M("train")}${c.train.start}</button></div>
    </form>`}training(t){const{studio:e}=this,s=t.state==="running"||t.state==="checking",o=a=>{e.attempt(()=>e.api.steer(t.id,a))},n=t.curve.at(-1);return p`<section class="training" aria-label=${t.name}>
      <div class="row">
        <strong class="cut">${t.name}</strong><span class="spread"></span
        ><span class="muted small">${c.train.states[t.state]}</span>
      </div>
      ${s||t.state==="paused"||t.state==="pausing"?p`<progress max="1" value=${t.done} aria-label=${t.name}></progress>`:b}
      ${t.curve.length>1?p`<toccata-curve class="curve" .curve=${t.curve}></toccata-curve>`:b}
      <div class="row small muted">
        ${n?p`<span class="mono">${c.train.step} ${n[0]} · ${c.train.loss} ${(n[2]??n[1]??0).toFixed(3)}</span>`:b}
        <span class="spread"></span
        >${t.secondsLeft!==null&&s?t.secondsLeft>0?c.train.left(c.minutes(t.secondsLeft)):c.train.finishing:b}
      </div>
      ${t.error?p`<p class="error">${t.error}</p>`:b}
      <div class="row">
        ${s?p`<button class="small outlined" @click=${()=>o("pause")}>${c.train.pause}</button>`:b}
        ${t.state==="paused"||t.state==="failed"?p`<button class="small outlined" @click=${()=>o("resume")}>${c.train.resume}</button>`:b}
        ${s||t.state==="paused"||t.state==="pausing"?p`<button class="small outlined" @click=${()=>o("cancel")}>${c.train.cancel}</button>`:b}
      </div>
      ${t.samples.length===0?b:p`<div class="row wrapped" role="group" aria-label=${c.train.listen}>
              <span class="small muted">${c.train.listen}</span>
              ${Nr(t).map(({url:a,name:r})=>p`<button class="small outlined" @click=${()=>{this.hear(t,a,r)}}>${M("ear")}${r}</button>`)}
            </div>`}
    </section>`}async hear(t,e,s){const{studio:o}=this;await o.attempt(async()=>{const n=await o.api.fileAt(e);o.show(await o.api.importPiece(`${t.name}, ${s.toLowerCase()}`,n)),o.set({tab:"roll"}),o.playing.play(0),await o.refresh()})}start(t){t.preventDefault();const e=new FormData(t.target),s=a=>String(e.get(a)??"").trim(),o=s("base"),n={kind:this.kind,music:s("music"),name:s("name"),minutes:Number(s("minutes")),...this.kind==="finetune"&&o?{base:o}:{}};this.studio.attempt(()=>this.studio.trainings.begin(n))}async choose(t){await this.take(await Ds(Hr,!0,t))}dragOver(t){t.preventDefault(),t.stopPropagation(),this.over=!0}drop(t){t.preventDefault(),t.stopPropagation(),this.over=!1,t.dataTransfer&&js(t.dataTransfer).then(e=>this.take(e))}async take(t){if(t.length===0)return;const s=t[0]?.webkitRelativePath.split("/")[0]||this.chosen||"my-music";await this.studio.attempt(()=>this.studio.trainings.upload(s,t)),this.chosen=s}}function Nr(i){let t=0;return i.samples.map(({url:e,step:s})=>(s===null&&(t+=1),{url:e,name:s===null?c.train.sample(t):c.train.sampleAt(s)}))}function Or(i){const t=c.train.found,e=s=>Object.entries(s).sort((o,n)=>n[1]-o[1]).slice(0,8).map(([o,n])=>`${o} (${n})`).join(", ");return p`<div class="check">
    <strong>${t.usable(i.accepted,i.files)}</strong>
    <dl>
      <dt>${t.music}</dt>
      <dd>${t.amount(i.notes,i.hours)}</dd>
      <dt>${t.instruments}</dt>
      <dd>${e(i.instruments)}</dd>
      <dt>${t.meters}</dt>
      <dd>${e(i.meters)}</dd>
      <dt>${t.grid}</dt>
      <dd>${Math.round(i.quantised*100)} %</dd>
    </dl>
    ${i.rejected.length===0?b:p`<details>
            <summary>${t.rejected(i.rejected.length)}</summary>
            <ul>
              ${i.rejected.map(({path:s,reason:o,message:n})=>p`<li>${s}: ${n??o??""}</li>`)}
            </ul>
          </details>`}
    ${i.duplicates.length===0?b:p`<details>
            <summary>${t.duplicates(i.duplicates.length)}</summary>
            <ul>
              ${i.duplicates.map(s=>p`<li>${s.join(", ")}</li>`)}
            </ul>
          </details>`}
  </div>`}P("toccata-train",Pr);const Ls=400,zs=20;class Ir extends C{constructor(){super(...arguments),this.ontick=t=>this.showPosition(t)}static{this.styles=[N,L`
      :host {
        display: flex;
        align-items: center;
        gap: 2px;
      }
      .position {
        font: 600 15px / 1 var(--mono);
        font-variant-numeric: tabular-nums;
        min-width: 72px;
        text-align: center;
        padding: 0 6px;
      }
      .tempo {
        display: flex;
        align-items: center;
        gap: 4px;
        color: var(--ink-2);
        padding: 0 6px;
      }
      .tempo input {
        width: 58px;
        min-height: 28px;
        border-color: transparent;
        background: transparent;
        padding: 0 4px;
        color: var(--ink);
        font-variant-numeric: tabular-nums;
      }
      .tempo input:hover,
      .tempo input:focus {
        border-color: var(--line-strong);
        background: var(--raised);
      }
      .play {
        border-radius: 50%;
        background: var(--accent);
        color: var(--accent-ink);
      }
      .play:hover {
        background: var(--accent);
        filter: brightness(1.1);
      }
      .play[aria-pressed="true"] {
        background: var(--accent);
        color: var(--accent-ink);
      }
      .record {
        color: var(--record);
      }
      .record[aria-pressed="true"] {
        background: var(--record);
        color: var(--surface);
      }
      .sound {
        max-width: 250px;
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      .sound u {
        color: var(--accent);
        text-underline-offset: 2px;
      }
      @media (max-width: 1100px) {
        .sound u {
          display: none;
        }
        .sound .dash {
          display: none;
        }
      }
      @media (max-width: 760px) {
        .sound,
        .start {
          display: none;
        }
        .position {
          min-width: 58px;
          padding: 0 2px;
        }
        .tempo {
          padding: 0;
        }
        .tempo input {
          width: 48px;
        }
      }
    `]}connectedCallback(){super.connectedCallback(),this.studio?.playing.ontick.add(this.ontick)}disconnectedCallback(){super.disconnectedCallback(),this.studio?.playing.ontick.delete(this.ontick)}updated(){this.studio.playing.ontick.add(this.ontick),this.showPosition(this.studio.playing.tick)}showPosition(t){const e=this.renderRoot.querySelector(".position"),s=this.studio.song?.bars.place(Math.max(0,t)),o=s?`${s.bar}.${s.beat}`:"1.1";e&&e.textContent!==o&&(e.textContent=o);const{playing:n}=this.studio.playing;e?.setAttribute("aria-label",n?c.transport.position:`${c.transport.position}: ${si(this.studio,t)}`)}render(){const{studio:t}=this,{playing:e,song:s,recording:o}=t,n=s?Math.round(s.clock.quartersPerMinute(e.tick)*100)/100:120,a=e.loop!==null;return p` <button
        class="icon-only start"
        aria-label=${c.transport.start}
        title=${this.tip(c.transport.start,"start")}
        @click=${()=>t.playing.seek(0)}
      >
        ${M("start")}
      </button>
      <button
        class="icon-only play"
        aria-label=${e.playing?c.transport.stop:c.transport.play}
        title=${this.tip(e.playing?c.transport.stop:c.transport.play,"play")}
        @click=${()=>t.togglePlaying()}
      >
        ${M(e.playing?"stop":"play")}
      </button>
      ${this.toggle("record",c.transport.record,o.active,()=>{o.toggle()},"record","record")}
      ${this.toggle("loop",c.transport.loop,a,()=>t.toggleLoop(),"loop")}
      ${this.toggle("metronome",c.transport.metronome,e.metronome,()=>e.setMetronome(!e.metronome),"metronome")}
      <span class="position" role="img" title=${this.tip(c.transport.position,"where")}></span>
      <label class="tempo" title=${c.transport.tempo}
        ><span aria-hidden="true">${c.transport.bpm}</span>
        <input
          type="number"
          min=${zs}
          max=${Ls}
          step="any"
          inputmode="decimal"
          aria-label=${c.transport.tempo}
          .value=${At(String(n))}
          ?disabled=${!s}
          @change=${this.setTempo}
      /></label>
      <button class="sound cut" title=${c.transport.soundNote} @click=${()=>t.set({dialog:"soundfont"})}>
        <span class="cut">${this.soundName()}</span>${this.builtIn?p`<span class="dash" aria-hidden="true">–</span><u>${c.transport.choose}</u>`:""}
      </button>`}get builtIn(){return this.soundName()===c.transport.builtIn}soundName(){return this.studio.playing.player.state.sound||c.transport.builtIn}toggle(t,e,s,o,n,a=""){return p`<button
      class="icon-only ${a}"
      aria-pressed=${s}
      aria-label=${e}
      title=${this.tip(e,n)}
      @click=${o}
    >
      ${M(t)}
    </button>`}tip(t,e){return`${t} (${Pt(B(e),ht)})`}setTempo(t){const{piece:e,playing:s}=this.studio,o=Number(_(t));if(!e||!(o>=zs&&o<=Ls))return this.requestUpdate();const n=e.song.clock.changes.filter(([a])=>a<=s.tick);this.studio.edit([{type:"tempo",tick:n.at(-1)?.[0]??0,quartersPerMinute:o}])}}P("toccata-transport",Ir);class Dr extends C{constructor(){super(),this.firstKeydown=t=>this.key(t,!0),this.keydown=t=>this.key(t,!1),this.giveKeysBack=t=>{if(!(t instanceof PointerEvent)||t.detail===0)return;const e=t.composedPath().find(s=>s instanceof HTMLElement&&s.matches("button"));e instanceof HTMLElement&&!e.closest("dialog")&&e.blur()},this.dragover=t=>{Me(t)&&t.preventDefault()},this.dragged=t=>{const e=t.composedPath().some(s=>s instanceof HTMLElement&&s.matches("[data-takes-files]"));this.dropping=t.type==="dragover"&&Me(t)&&!e},this.dragleave=t=>{t.relatedTarget===null&&(this.dropping=!1)},this.drop=t=>{if(!t.dataTransfer||!Me(t)||t.defaultPrevented)return;t.preventDefault();const e=js(t.dataTransfer);this.studio.attempt(async()=>Ki(this.studio,await e))},this.dropping=!1}static{this.properties={...C.properties,dropping:{state:!0}}}static{this.styles=[N,L`
      :host {
        display: grid;
        height: 100vh;
        height: 100dvh;
        grid-template: auto auto 1fr / 208px minmax(0, 1fr) 296px;
        grid-template-areas: "bar bar bar" "strip strip strip" "tracks roll side";
      }
      .bar {
        grid-area: bar;
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto minmax(0, 1fr);
        align-items: center;
        gap: 8px;
        padding: 5px 10px;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
      }
      .left,
      .right {
        display: flex;
        align-items: center;
        gap: 2px;
        min-width: 0;
      }
      .right {
        justify-content: flex-end;
      }
      .title {
        font-weight: 600;
        font-size: var(--size-big);
        border-color: transparent !important;
        background: transparent !important;
        flex: 0 1 auto;
        min-width: 60px;
        width: 220px;
        text-overflow: ellipsis;
      }
      .title:hover,
      .title:focus {
        border-color: var(--line-strong) !important;
      }
      .saved {
        color: var(--ink-2);
        font-size: var(--size-small);
        white-space: nowrap;
        display: inline-flex;
        align-items: center;
        gap: 4px;
        padding: 0 4px;
      }
      .saved .icon {
        width: 12px;
        height: 12px;
      }
      .saved.waiting {
        color: var(--bad);
        font-weight: 600;
      }
      .work {
        grid-area: strip;
        min-width: 0;
      }
      .tracks {
        grid-area: tracks;
        border-right: 1px solid var(--line);
        background: var(--surface);
        min-height: 0;
        display: flex;
        flex-direction: column;
      }
      .centre {
        grid-area: roll;
        min-width: 0;
        min-height: 0;
        display: flex;
        flex-direction: column;
      }
      .centre toccata-stage {
        flex: 1;
      }
      .centre toccata-note-table {
        flex: 0 0 36%;
      }
      .side {
        grid-area: side;
        border-left: 1px solid var(--line);
        background: var(--surface);
        min-height: 0;
        display: flex;
        flex-direction: column;
      }
      .side > :last-child,
      .tracks > * {
        flex: 1;
        min-height: 0;
      }
      .tabs {
        display: flex;
        gap: 2px;
        padding: 6px 8px 2px;
      }
      .tabs button[aria-selected="true"] {
        background: var(--accent-soft);
        color: var(--accent);
        font-weight: 600;
      }
      nav.bottom {
        display: none;
      }
      .fatal {
        display: grid;
        place-content: center;
        height: 100vh;
        padding: 24px;
        text-align: center;
        gap: 8px;
        grid-column: 1 / -1;
      }
      .menu {
        inset: 44px 12px auto auto;
        margin: 0;
        padding: 4px;
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--raised);
        color: var(--ink);
        box-shadow: var(--shadow);
        min-width: 240px;
      }
      .menu:popover-open {
        display: grid;
      }
      .menu button {
        text-align: left;
        justify-content: flex-start;
      }
      .dropping {
        position: fixed;
        inset: 8px;
        border: 2px dashed var(--accent);
        border-radius: var(--radius-big);
        background: var(--accent-soft);
        opacity: 0.92;
        display: grid;
        place-content: center;
        font-size: 20px;
        z-index: 30;
        pointer-events: none;
      }
      .skip {
        position: absolute;
        left: -9999px;
      }
      .skip:focus {
        left: 8px;
        top: 8px;
        z-index: 40;
        background: var(--raised);
        padding: 8px;
      }
      @media (max-width: 1100px) {
        :host {
          grid-template-columns: 204px minmax(0, 1fr) 236px;
        }
        .title {
          width: 150px;
        }
      }
      @media (max-width: 760px) {
        :host {
          grid-template: auto auto minmax(0, 1fr) auto / minmax(0, 1fr);
          grid-template-areas: "bar" "strip" "main" "nav";
        }
        .bar {
          grid-template-columns: minmax(0, 1fr) auto;
          gap: 2px 4px;
          padding: 4px 6px;
        }
        .bar toccata-transport {
          grid-row: 2;
          grid-column: 1 / -1;
          justify-content: center;
        }
        .wide {
          display: none !important;
        }
        .tracks,
        .centre,
        .side {
          grid-area: main;
          display: none;
          border: 0;
        }
        :host([data-tab="roll"]) .centre,
        :host([data-tab="tracks"]) .tracks,
        :host([data-tab="takes"]) .side,
        :host([data-tab="train"]) .side {
          display: flex;
        }
        :host(:not([data-tab="roll"])) .work {
          display: none;
        }
        .side .tabs {
          display: none;
        }
        nav.bottom {
          grid-area: nav;
          display: flex;
          border-top: 1px solid var(--line);
          background: var(--surface);
        }
        nav.bottom button {
          flex: 1;
          border-radius: 0;
          min-height: 44px;
        }
        nav.bottom button[aria-current="page"] {
          color: var(--accent);
          font-weight: 600;
          box-shadow: inset 0 2px 0 var(--accent);
        }
      }
    `]}connectedCallback(){super.connectedCallback(),window.addEventListener("keydown",this.firstKeydown,{capture:!0}),window.addEventListener("keydown",this.keydown),window.addEventListener("dragover",this.dragged,{capture:!0}),window.addEventListener("drop",this.dragged,{capture:!0}),window.addEventListener("dragover",this.dragover),window.addEventListener("dragleave",this.dragleave),window.addEventListener("drop",this.drop),window.addEventListener("dragend",this.dragleave),this.renderRoot.addEventListener("click",this.giveKeysBack)}disconnectedCallback(){super.disconnectedCallback(),window.removeEventListener("keydown",this.firstKeydown,{capture:!0}),window.removeEventListener("keydown",this.keydown),window.removeEventListener("dragover",this.dragged,{capture:!0}),window.removeEventListener("drop",this.dragged,{capture:!0}),window.removeEventListener("dragover",this.dragover),window.removeEventListener("dragleave",this.dragleave),window.removeEventListener("drop",this.drop),window.removeEventListener("dragend",this.dragleave)}updated(){const{piece:t}=this.studio;document.title=t?`${t.title} – ${c.app}`:c.app}render(){const{studio:t}=this,{view:e}=t;if(this.dataset.tab=e.tab,t.fatal!==null)return p`<main class="fatal">
        <h1>${c.app}</h1>
        <p>${t.fatal}</p>
      </main>`;const s=e.tab==="train"||e.tab==="takes"?e.tab:e.panel;return p` <header class="bar">
        <h1 class="unseen">${c.app}</h1>
        <button class="skip" @click=${this.toNotes}>${c.skip}</button>${this.bar()}
      </header>
      <div class="work">
        <toccata-strip .studio=${t}></toccata-strip>
        ${e.optionsOpen?p`<toccata-options .studio=${t}></toccata-options>`:b}
      </div>
      <aside class="tracks" aria-label=${c.tracks.label}><toccata-tracks .studio=${t}></toccata-tracks></aside>
      <main class="centre">
        <toccata-stage .studio=${t}></toccata-stage>
        <toccata-chips .studio=${t}></toccata-chips>
        ${e.table?p`<toccata-note-table .studio=${t}></toccata-note-table>`:b}
      </main>
      <aside class="side" aria-label=${c.tabs[s]}>
        <div class="tabs" role="tablist">
          ${["takes","train"].map(o=>p`<button
                role="tab"
                aria-selected=${s===o}
                @click=${()=>t.set({panel:o,tab:e.tab==="roll"||e.tab==="tracks"?e.tab:o})}
              >
                ${c.tabs[o]}
              </button>`)}
        </div>
        ${s==="takes"?p`<toccata-takes .studio=${t}></toccata-takes>`:p`<toccata-train .studio=${t}></toccata-train>`}
      </aside>
      <nav class="bottom">${["roll","tracks","takes","train"].map(o=>this.tab(o))}</nav>
      <toccata-dialogs .studio=${t}></toccata-dialogs>
      <toccata-messages .studio=${t} .behind=${e.dialog!==null}></toccata-messages>
      ${this.dropping?p`<div class="dropping">${c.library.dropHere}</div>`:b}`}toNotes(){const t=this.studio.roll;t instanceof HTMLElement&&t.focus()}bar(){const{studio:t}=this,{piece:e}=t;return p`<div class="left">
        ${this.button("library",c.bar.library,"library",()=>t.set({dialog:"library"}))}
        <input
          class="title"
          aria-label=${c.bar.title}
          .value=${At(e?.title??"")}
          ?disabled=${!e}
          maxlength="200"
          @change=${s=>e&&void Is(t,e.id,_(s))}
          @keydown=${this.titleKey}
        />
        ${this.button("undo",c.bar.undo,"undo",()=>{t.undo()},!e?.canUndo)}
        ${this.button("redo",c.bar.redo,"redo",()=>{t.redo()},!e?.canRedo)}
        ${e?p`<span class="saved ${e.saved}" title=${e.saved==="waiting"?c.bar.waitingWhy:c.bar[e.saved]}>${e.saved==="saved"?M("check"):b}<span class=${e.saved==="waiting"?"":"wide"}>${c.bar[e.saved]}</span></span>`:b}
      </div>
      <toccata-transport .studio=${t}></toccata-transport>
      <div class="right">
        <toccata-model-chooser class="wide" .studio=${t}></toccata-model-chooser>
        <button class="icon-only" aria-label=${c.bar.menu} title=${c.bar.menu} popovertarget="files">
          ${M("down")}
        </button>
        <div
          id="files"
          class="menu"
          popover
          @click=${s=>s.currentTarget.hidePopover()}
        >
          ${["midi","wav","png","reveal","star"].map(s=>p`<button @click=${()=>{Ht.find(o=>o.id===s)?.run(t)}}>
                <span class="spread">${c.commands[s]}</span
                >${B(s)?p`<kbd>${Pt(B(s),ht)}</kbd>`:b}
              </button>`)}
        </div>
        <span class="wide row">${this.button("theme",c.bar.theme,"theme",()=>Ns(t))}</span>
        ${this.button("more",c.bar.palette,"palette",()=>t.set({dialog:"palette"}))}
        <button
          class="icon-only"
          aria-label=${c.bar.help}
          title=${`${c.bar.help} (?)`}
          @click=${()=>t.set({dialog:"help"})}
        >
          <strong aria-hidden="true">?</strong>
        </button>
      </div>`}titleKey(t){const e=t.target;Q(t)||t.key!=="Enter"&&t.key!=="Escape"||(t.key==="Escape"&&(e.value=this.studio.piece?.title??""),e.blur())}button(t,e,s,o,n=!1){return p`<button
      class="icon-only ${n?"unable":""}"
      aria-label=${e}
      title=${`${e} (${Pt(B(s),ht)})`}
      @click=${o}
    >
      ${M(t)}
    </button>`}tab(t){const{view:e}=this.studio;return p`<button
      aria-current=${e.tab===t?"page":b}
      @click=${()=>this.studio.set({tab:t,...t==="takes"||t==="train"?{panel:t}:{}})}
    >
      ${c.tabs[t]}
    </button>`}key(t,e){t.key==="Escape"&&this.renderRoot.querySelector(".menu:popover-open")!==null||Go(t,this.studio,e)}}function Me(i){return i.dataTransfer?.types.includes("Files")??!1}P("toccata-studio",Dr);export{Dr as App};

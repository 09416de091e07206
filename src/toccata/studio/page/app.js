import{V as vs,T as c,o as ws,t as xs,G as Bt,c as Dt,s as Ms,d as ve,i as ui,f as pi,w as fi,r as As,a as gi,n as mi,u as bi,b as Ss,e as $i,g as ki,D as Le,h as Vt,j as pe,k as yi,N as Kt,l as vi,m as wi,p as Wt,q as U,v as W,x as ze,R as S,y as He,z as Es,A as xi,B as Mi,C as Ft,E as fe,F as V,H as _s,I as bt,J as Ts,K as Ai,L as $t,M as Cs,O as Rs,P as Ls,Q as xt,S as Si,U as zs,W as Ei,X as _i,Y as Pe,Z as Hs,_ as Ti}from"./index.js";const Ut=globalThis,we=Ut.ShadowRoot&&(Ut.ShadyCSS===void 0||Ut.ShadyCSS.nativeShadow)&&"adoptedStyleSheets"in Document.prototype&&"replace"in CSSStyleSheet.prototype,xe=Symbol(),Ne=new WeakMap;let Ps=class{constructor(t,e,s){if(this._$cssResult$=!0,s!==xe)throw Error("CSSResult is not constructable. Use `unsafeCSS` or `css` instead.");this.cssText=t,this.t=e}get styleSheet(){let t=this.o;const e=this.t;if(we&&t===void 0){const s=e!==void 0&&e.length===1;s&&(t=Ne.get(e)),t===void 0&&((this.o=t=new CSSStyleSheet).replaceSync(this.cssText),s&&Ne.set(e,t))}return t}toString(){return this.cssText}};const Ci=o=>new Ps(typeof o=="string"?o:o+"",void 0,xe),L=(o,...t)=>{const e=o.length===1?o[0]:t.reduce((s,i,n)=>s+(a=>{if(a._$cssResult$===!0)return a.cssText;if(typeof a=="number")return a;throw Error("Value passed to 'css' function must be a 'css' function result: "+a+". Use 'unsafeCSS' to pass non-literal values, but take care to ensure page security.")})(i)+o[n+1],o[0]);return new Ps(e,o,xe)},Ri=(o,t)=>{if(we)o.adoptedStyleSheets=t.map(e=>e instanceof CSSStyleSheet?e:e.styleSheet);else for(const e of t){const s=document.createElement("style"),i=Ut.litNonce;i!==void 0&&s.setAttribute("nonce",i),s.textContent=e.cssText,o.appendChild(s)}},Oe=we?o=>o:o=>o instanceof CSSStyleSheet?(t=>{let e="";for(const s of t.cssRules)e+=s.cssText;return Ci(e)})(o):o;const{is:Li,defineProperty:zi,getOwnPropertyDescriptor:Hi,getOwnPropertyNames:Pi,getOwnPropertySymbols:Ni,getPrototypeOf:Oi}=Object,Jt=globalThis,Ie=Jt.trustedTypes,Ii=Ie?Ie.emptyScript:"",Di=Jt.reactiveElementPolyfillSupport,kt=(o,t)=>o,ge={toAttribute(o,t){switch(t){case Boolean:o=o?Ii:null;break;case Object:case Array:o=o==null?o:JSON.stringify(o)}return o},fromAttribute(o,t){let e=o;switch(t){case Boolean:e=o!==null;break;case Number:e=o===null?null:Number(o);break;case Object:case Array:try{e=JSON.parse(o)}catch{e=null}}return e}},Ns=(o,t)=>!Li(o,t),De={attribute:!0,type:String,converter:ge,reflect:!1,useDefault:!1,hasChanged:Ns};Symbol.metadata??=Symbol("metadata"),Jt.litPropertyMetadata??=new WeakMap;let et=class extends HTMLElement{static addInitializer(t){this._$Ei(),(this.l??=[]).push(t)}static get observedAttributes(){return this.finalize(),this._$Eh&&[...this._$Eh.keys()]}static createProperty(t,e=De){if(e.state&&(e.attribute=!1),this._$Ei(),this.prototype.hasOwnProperty(t)&&((e=Object.create(e)).wrapped=!0),this.elementProperties.set(t,e),!e.noAccessor){const s=Symbol(),i=this.getPropertyDescriptor(t,s,e);i!==void 0&&zi(this.prototype,t,i)}}static getPropertyDescriptor(t,e,s){const{get:i,set:n}=Hi(this.prototype,t)??{get(){return this[e]},set(a){this[e]=a}};return{get:i,set(a){const r=i?.call(this);n?.call(this,a),this.requestUpdate(t,r,s)},configurable:!0,enumerable:!0}}static getPropertyOptions(t){return this.elementProperties.get(t)??De}static _$Ei(){if(this.hasOwnProperty(kt("elementProperties")))return;const t=Oi(this);t.finalize(),t.l!==void 0&&(this.l=[...t.l]),this.elementProperties=new Map(t.elementProperties)}static finalize(){if(this.hasOwnProperty(kt("finalized")))return;if(this.finalized=!0,this._$Ei(),this.hasOwnProperty(kt("properties"))){const e=this.properties,s=[...Pi(e),...Ni(e)];for(const i of s)this.createProperty(i,e[i])}const t=this[Symbol.metadata];if(t!==null){const e=litPropertyMetadata.get(t);if(e!==void 0)for(const[s,i]of e)this.elementProperties.set(s,i)}this._$Eh=new Map;for(const[e,s]of this.elementProperties){const i=this._$Eu(e,s);i!==void 0&&this._$Eh.set(i,e)}this.elementStyles=this.finalizeStyles(this.styles)}static finalizeStyles(t){const e=[];if(Array.isArray(t)){const s=new Set(t.flat(1/0).reverse());for(const i of s)e.unshift(Oe(i))}else t!==void 0&&e.push(Oe(t));return e}static _$Eu(t,e){const s=e.attribute;return s===!1?void 0:typeof s=="string"?s:typeof t=="string"?t.toLowerCase():void 0}constructor(){super(),this._$Ep=void 0,this.isUpdatePending=!1,this.hasUpdated=!1,this._$Em=null,this._$Ev()}_$Ev(){this._$ES=new Promise(t=>this.enableUpdating=t),this._$AL=new Map,this._$E_(),this.requestUpdate(),this.constructor.l?.forEach(t=>t(this))}addController(t){(this._$EO??=new Set).add(t),this.renderRoot!==void 0&&this.isConnected&&t.hostConnected?.()}removeController(t){this._$EO?.delete(t)}_$E_(){const t=new Map,e=this.constructor.elementProperties;for(const s of e.keys())this.hasOwnProperty(s)&&(t.set(s,this[s]),delete this[s]);t.size>0&&(this._$Ep=t)}createRenderRoot(){const t=this.shadowRoot??this.attachShadow(this.constructor.shadowRootOptions);return Ri(t,this.constructor.elementStyles),t}connectedCallback(){this.renderRoot??=this.createRenderRoot(),this.enableUpdating(!0),this._$EO?.forEach(t=>t.hostConnected?.())}enableUpdating(t){}disconnectedCallback(){this._$EO?.forEach(t=>t.hostDisconnected?.())}attributeChangedCallback(t,e,s){this._$AK(t,s)}_$ET(t,e){const s=this.constructor.elementProperties.get(t),i=this.constructor._$Eu(t,s);if(i!==void 0&&s.reflect===!0){const n=(s.converter?.toAttribute!==void 0?s.converter:ge).toAttribute(e,s.type);this._$Em=t,n==null?this.removeAttribute(i):this.setAttribute(i,n),this._$Em=null}}_$AK(t,e){const s=this.constructor,i=s._$Eh.get(t);if(i!==void 0&&this._$Em!==i){const n=s.getPropertyOptions(i),a=typeof n.converter=="function"?{fromAttribute:n.converter}:n.converter?.fromAttribute!==void 0?n.converter:ge;this._$Em=i;const r=a.fromAttribute(e,n.type);this[i]=r??this._$Ej?.get(i)??r,this._$Em=null}}requestUpdate(t,e,s,i=!1,n){if(t!==void 0){const a=this.constructor;if(i===!1&&(n=this[t]),s??=a.getPropertyOptions(t),!((s.hasChanged??Ns)(n,e)||s.useDefault&&s.reflect&&n===this._$Ej?.get(t)&&!this.hasAttribute(a._$Eu(t,s))))return;this.C(t,e,s)}this.isUpdatePending===!1&&(this._$ES=this._$EP())}C(t,e,{useDefault:s,reflect:i,wrapped:n},a){s&&!(this._$Ej??=new Map).has(t)&&(this._$Ej.set(t,a??e??this[t]),n!==!0||a!==void 0)||(this._$AL.has(t)||(this.hasUpdated||s||(e=void 0),this._$AL.set(t,e)),i===!0&&this._$Em!==t&&(this._$Eq??=new Set).add(t))}async _$EP(){this.isUpdatePending=!0;try{await this._$ES}catch(e){Promise.reject(e)}const t=this.scheduleUpdate();return t!=null&&await t,!this.isUpdatePending}scheduleUpdate(){return this.performUpdate()}performUpdate(){if(!this.isUpdatePending)return;if(!this.hasUpdated){if(this.renderRoot??=this.createRenderRoot(),this._$Ep){for(const[i,n]of this._$Ep)this[i]=n;this._$Ep=void 0}const s=this.constructor.elementProperties;if(s.size>0)for(const[i,n]of s){const{wrapped:a}=n,r=this[i];a!==!0||this._$AL.has(i)||r===void 0||this.C(i,void 0,n,r)}}let t=!1;const e=this._$AL;try{t=this.shouldUpdate(e),t?(this.willUpdate(e),this._$EO?.forEach(s=>s.hostUpdate?.()),this.update(e)):this._$EM()}catch(s){throw t=!1,this._$EM(),s}t&&this._$AE(e)}willUpdate(t){}_$AE(t){this._$EO?.forEach(e=>e.hostUpdated?.()),this.hasUpdated||(this.hasUpdated=!0,this.firstUpdated(t)),this.updated(t)}_$EM(){this._$AL=new Map,this.isUpdatePending=!1}get updateComplete(){return this.getUpdateComplete()}getUpdateComplete(){return this._$ES}shouldUpdate(t){return!0}update(t){this._$Eq&&=this._$Eq.forEach(e=>this._$ET(e,this[e])),this._$EM()}updated(t){}firstUpdated(t){}};et.elementStyles=[],et.shadowRootOptions={mode:"open"},et[kt("elementProperties")]=new Map,et[kt("finalized")]=new Map,Di?.({ReactiveElement:et}),(Jt.reactiveElementVersions??=[]).push("2.1.2");const Me=globalThis,Ue=o=>o,qt=Me.trustedTypes,Be=qt?qt.createPolicy("lit-html",{createHTML:o=>o}):void 0,Os="$lit$",j=`lit$${Math.random().toFixed(9).slice(2)}$`,Is="?"+j,Ui=`<${Is}>`,Z=document,Mt=()=>Z.createComment(""),At=o=>o===null||typeof o!="object"&&typeof o!="function",Ae=Array.isArray,Bi=o=>Ae(o)||typeof o?.[Symbol.iterator]=="function",ae=`[ 	
\f\r]`,dt=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,Ve=/-->/g,Ke=/>/g,G=RegExp(`>|${ae}(?:([^\\s"'>=/]+)(${ae}*=${ae}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),We=/'/g,Fe=/"/g,Ds=/^(?:script|style|textarea|title)$/i,Us=o=>(t,...e)=>({_$litType$:o,strings:t,values:e}),p=Us(1),Vi=Us(2),J=Symbol.for("lit-noChange"),b=Symbol.for("lit-nothing"),qe=new WeakMap,Y=Z.createTreeWalker(Z,129);function Bs(o,t){if(!Ae(o)||!o.hasOwnProperty("raw"))throw Error("invalid template strings array");return Be!==void 0?Be.createHTML(t):t}const Ki=(o,t)=>{const e=o.length-1,s=[];let i,n=t===2?"<svg>":t===3?"<math>":"",a=dt;for(let r=0;r<e;r++){const l=o[r];let h,d,u=-1,g=0;for(;g<l.length&&(a.lastIndex=g,d=a.exec(l),d!==null);)g=a.lastIndex,a===dt?d[1]==="!--"?a=Ve:d[1]!==void 0?a=Ke:d[2]!==void 0?(Ds.test(d[2])&&(i=RegExp("</"+d[2],"g")),a=G):d[3]!==void 0&&(a=G):a===G?d[0]===">"?(a=i??dt,u=-1):d[1]===void 0?u=-2:(u=a.lastIndex-d[2].length,h=d[1],a=d[3]===void 0?G:d[3]==='"'?Fe:We):a===Fe||a===We?a=G:a===Ve||a===Ke?a=dt:(a=G,i=void 0);const f=a===G&&o[r+1].startsWith("/>")?" ":"";n+=a===dt?l+Ui:u>=0?(s.push(h),l.slice(0,u)+Os+l.slice(u)+j+f):l+j+(u===-2?r:f)}return[Bs(o,n+(o[e]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),s]};class St{constructor({strings:t,_$litType$:e},s){let i;this.parts=[];let n=0,a=0;const r=t.length-1,l=this.parts,[h,d]=Ki(t,e);if(this.el=St.createElement(h,s),Y.currentNode=this.el.content,e===2||e===3){const u=this.el.content.firstChild;u.replaceWith(...u.childNodes)}for(;(i=Y.nextNode())!==null&&l.length<r;){if(i.nodeType===1){if(i.hasAttributes())for(const u of i.getAttributeNames())if(u.endsWith(Os)){const g=d[a++],f=i.getAttribute(u).split(j),m=/([.?@])?(.*)/.exec(g);l.push({type:1,index:n,name:m[2],strings:f,ctor:m[1]==="."?Fi:m[1]==="?"?qi:m[1]==="@"?ji:te}),i.removeAttribute(u)}else u.startsWith(j)&&(l.push({type:6,index:n}),i.removeAttribute(u));if(Ds.test(i.tagName)){const u=i.textContent.split(j),g=u.length-1;if(g>0){i.textContent=qt?qt.emptyScript:"";for(let f=0;f<g;f++)i.append(u[f],Mt()),Y.nextNode(),l.push({type:2,index:++n});i.append(u[g],Mt())}}}else if(i.nodeType===8)if(i.data===Is)l.push({type:2,index:n});else{let u=-1;for(;(u=i.data.indexOf(j,u+1))!==-1;)l.push({type:7,index:n}),u+=j.length-1}n++}}static createElement(t,e){const s=Z.createElement("template");return s.innerHTML=t,s}}function nt(o,t,e=o,s){if(t===J)return t;let i=s!==void 0?e._$Co?.[s]:e._$Cl;const n=At(t)?void 0:t._$litDirective$;return i?.constructor!==n&&(i?._$AO?.(!1),n===void 0?i=void 0:(i=new n(o),i._$AT(o,e,s)),s!==void 0?(e._$Co??=[])[s]=i:e._$Cl=i),i!==void 0&&(t=nt(o,i._$AS(o,t.values),i,s)),t}class Wi{constructor(t,e){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=e}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){const{el:{content:e},parts:s}=this._$AD,i=(t?.creationScope??Z).importNode(e,!0);Y.currentNode=i;let n=Y.nextNode(),a=0,r=0,l=s[0];for(;l!==void 0;){if(a===l.index){let h;l.type===2?h=new lt(n,n.nextSibling,this,t):l.type===1?h=new l.ctor(n,l.name,l.strings,this,t):l.type===6&&(h=new Gi(n,this,t)),this._$AV.push(h),l=s[++r]}a!==l?.index&&(n=Y.nextNode(),a++)}return Y.currentNode=Z,i}p(t){let e=0;for(const s of this._$AV)s!==void 0&&(s.strings!==void 0?(s._$AI(t,s,e),e+=s.strings.length-2):s._$AI(t[e])),e++}}class lt{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,e,s,i){this.type=2,this._$AH=b,this._$AN=void 0,this._$AA=t,this._$AB=e,this._$AM=s,this.options=i,this._$Cv=i?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode;const e=this._$AM;return e!==void 0&&t?.nodeType===11&&(t=e.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,e=this){t=nt(this,t,e),At(t)?t===b||t==null||t===""?(this._$AH!==b&&this._$AR(),this._$AH=b):t!==this._$AH&&t!==J&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):Bi(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==b&&At(this._$AH)?this._$AA.nextSibling.data=t:this.T(Z.createTextNode(t)),this._$AH=t}$(t){const{values:e,_$litType$:s}=t,i=typeof s=="number"?this._$AC(t):(s.el===void 0&&(s.el=St.createElement(Bs(s.h,s.h[0]),this.options)),s);if(this._$AH?._$AD===i)this._$AH.p(e);else{const n=new Wi(i,this),a=n.u(this.options);n.p(e),this.T(a),this._$AH=n}}_$AC(t){let e=qe.get(t.strings);return e===void 0&&qe.set(t.strings,e=new St(t)),e}k(t){Ae(this._$AH)||(this._$AH=[],this._$AR());const e=this._$AH;let s,i=0;for(const n of t)i===e.length?e.push(s=new lt(this.O(Mt()),this.O(Mt()),this,this.options)):s=e[i],s._$AI(n),i++;i<e.length&&(this._$AR(s&&s._$AB.nextSibling,i),e.length=i)}_$AR(t=this._$AA.nextSibling,e){for(this._$AP?.(!1,!0,e);t!==this._$AB;){const s=Ue(t).nextSibling;Ue(t).remove(),t=s}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}}class te{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,e,s,i,n){this.type=1,this._$AH=b,this._$AN=void 0,this.element=t,this.name=e,this._$AM=i,this.options=n,s.length>2||s[0]!==""||s[1]!==""?(this._$AH=Array(s.length-1).fill(new String),this.strings=s):this._$AH=b}_$AI(t,e=this,s,i){const n=this.strings;let a=!1;if(n===void 0)t=nt(this,t,e,0),a=!At(t)||t!==this._$AH&&t!==J,a&&(this._$AH=t);else{const r=t;let l,h;for(t=n[0],l=0;l<n.length-1;l++)h=nt(this,r[s+l],e,l),h===J&&(h=this._$AH[l]),a||=!At(h)||h!==this._$AH[l],h===b?t=b:t!==b&&(t+=(h??"")+n[l+1]),this._$AH[l]=h}a&&!i&&this.j(t)}j(t){t===b?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}}class Fi extends te{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===b?void 0:t}}class qi extends te{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==b)}}class ji extends te{constructor(t,e,s,i,n){super(t,e,s,i,n),this.type=5}_$AI(t,e=this){if((t=nt(this,t,e,0)??b)===J)return;const s=this._$AH,i=t===b&&s!==b||t.capture!==s.capture||t.once!==s.once||t.passive!==s.passive,n=t!==b&&(s===b||i);i&&this.element.removeEventListener(this.name,this,s),n&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}}class Gi{constructor(t,e,s){this.element=t,this.type=6,this._$AN=void 0,this._$AM=e,this.options=s}get _$AU(){return this._$AM._$AU}_$AI(t){nt(this,t)}}const Qi={I:lt},Yi=Me.litHtmlPolyfillSupport;Yi?.(St,lt),(Me.litHtmlVersions??=[]).push("3.3.3");const Xi=(o,t,e)=>{const s=e?.renderBefore??t;let i=s._$litPart$;if(i===void 0){const n=e?.renderBefore??null;s._$litPart$=i=new lt(t.insertBefore(Mt(),n),n,void 0,e??{})}return i._$AI(o),i};const Se=globalThis;let ot=class extends et{constructor(){super(...arguments),this.renderOptions={host:this},this._$Do=void 0}createRenderRoot(){const t=super.createRenderRoot();return this.renderOptions.renderBefore??=t.firstChild,t}update(t){const e=this.render();this.hasUpdated||(this.renderOptions.isConnected=this.isConnected),super.update(t),this._$Do=Xi(e,this.renderRoot,this.renderOptions)}connectedCallback(){super.connectedCallback(),this._$Do?.setConnected(!0)}disconnectedCallback(){super.disconnectedCallback(),this._$Do?.setConnected(!1)}render(){return J}};ot._$litElement$=!0,ot.finalized=!0,Se.litElementHydrateSupport?.({LitElement:ot});const Zi=Se.litElementPolyfillSupport;Zi?.({LitElement:ot});(Se.litElementVersions??=[]).push("4.2.2");const $=(o,t,e,s,i,n="always")=>({id:t,group:o,name:e,keys:s,run:i,context:n}),Ji=[["selectAll",["Ctrl+A"]],["copy",["Ctrl+C"]],["cut",["Ctrl+X"]],["paste",["Ctrl+V"]],["duplicate",["Ctrl+D"]],["delete",["Delete","Backspace"]],["quantise",["Q"]],["up",["Up"]],["down",["Down"]],["octaveUp",["Shift+Up"]],["octaveDown",["Shift+Down"]],["left",["Left"]],["right",["Right"]],["longer",["Shift+Right","+"]],["shorter",["Shift+Left","-"]],["louder",["Alt+Up"]],["softer",["Alt+Down"]],["nextNote",["Alt+Right"]],["previousNote",["Alt+Left"]]],to={continue:"C",infill:"F",accompany:"A",vary:"V",harmonise:"H"},k=c.commands,Et=[$("play","play",k.play,["Space"],o=>o.togglePlaying()),$("play","start",k.start,["Home"],o=>re(o,0)),$("play","stopAtStart",k.start,["Enter"],o=>{o.playing.stop(),re(o,0)},"plain"),$("play","end",k.end,["End"],o=>re(o,o.song?.end??0)),$("play","record",k.record,["R"],o=>o.recording.toggle()),$("play","loop",k.loop,["L"],o=>o.toggleLoop()),$("play","metronome",k.metronome,["Ctrl+M"],eo),$("play","follow",k.follow,["Shift+F"],o=>{o.playing.follow=!o.playing.follow,o.changed()}),...vs.map(o=>$("ideas",o,k[o],[to[o]],t=>t.press(o))),...[0,1,2,3,4,5,6,7,8,9].map(o=>$("ideas",`hear${o}`,k.hear(o),[String(o)],t=>t.hear(o),"ideas")),$("ideas","take",k.take,["Enter","Ctrl+Enter"],o=>o.take(),"ideas"),$("ideas","back",k.back,["Esc"],o=>o.ideas.close(),"ideas"),$("ideas","again",k.again,["G"],o=>o.again()),$("ideas","stopIdeas",k.stopIdeas,["S"],o=>o.attempt(()=>o.ideas.stopAll())),$("ideas","passage",k.passage,["P"],o=>o.hearPassage()),$("ideas","options",k.options,["O"],o=>o.set({optionsOpen:!o.view.optionsOpen})),$("ideas","onlyActive",k.onlyActive,["Y"],o=>o.set({options:{...o.view.options,onlyActive:!o.view.options.onlyActive}})),$("edit","undo",k.undo,["Ctrl+Z"],o=>o.undo()),$("edit","redo",k.redo,["Ctrl+Shift+Z","Ctrl+Y"],o=>o.redo()),...Ji.map(([o,t])=>$("edit",o,k[o],t,e=>e.roll?.command(o))),$("edit","selectNone",k.selectNone,["Esc"],o=>{o.roll?.command("selectNone"),o.set({hint:null})},"plain"),$("edit","lock",k.lock,["K"],o=>o.lockSelection()),$("edit","select",k.select,["1"],o=>o.set({tool:"select"}),"plain"),$("edit","draw",k.draw,["2"],o=>o.set({tool:"draw"}),"plain"),$("edit","finer",k.finer,["<"],o=>je(o,1)),$("edit","coarser",k.coarser,[">"],o=>je(o,-1)),$("range","rangeNext",k.rangeNext,["."],o=>me(o,1)),$("range","rangePrevious",k.rangePrevious,[","],o=>me(o,-1)),$("range","rangeMore",k.rangeMore,["]"],o=>Ge(o,1)),$("range","rangeLess",k.rangeLess,["["],o=>Ge(o,-1)),$("range","rangeAll",k.rangeAll,["Shift+A"],o=>o.chooseBars([1,o.song?.bars.count??1])),$("range","rangeNone",k.rangeNone,["Shift+Backspace"],o=>o.chooseBars(null)),$("tracks","mute",k.mute,["M"],o=>o.toggleIn("muted",o.view.activeTrack)),$("tracks","solo",k.solo,["Shift+S"],o=>o.toggleIn("soloed",o.view.activeTrack)),$("tracks","hide",k.hide,["Shift+H"],o=>o.toggleIn("hidden",o.view.activeTrack)),$("tracks","trackNext",k.trackNext,["PageDown"],o=>o.stepTrack(1)),$("tracks","trackPrevious",k.trackPrevious,["PageUp"],o=>o.stepTrack(-1)),$("tracks","ghosts",k.ghosts,["Shift+G"],o=>o.set({ghosts:!o.view.ghosts})),$("takes","library",k.library,["Ctrl+O"],o=>o.set({dialog:"library"})),$("takes","newPiece",k.newPiece,["Alt+N"],o=>o.set({dialog:"new"})),$("takes","open",k.open,["Shift+O"],ws),$("takes","compare",k.compare,["B"],o=>o.switchCompared()),$("takes","star",k.star,["Ctrl+S"],so),$("takes","midi",k.midi,["Ctrl+Shift+S"],o=>le(o,"mid")),$("takes","wav",k.wav,[],o=>le(o,"wav")),$("takes","png",k.png,[],o=>le(o,"png")),$("takes","reveal",k.reveal,[],io),$("view","takes",k.takes,["T"],o=>o.set({panel:"takes",tab:o.view.tab==="takes"?"roll":"takes"})),$("view","train",k.train,["Shift+T"],o=>o.set({panel:"train",tab:"train"})),$("view","table",k.table,["N"],o=>o.set({table:!o.view.table})),$("view","zoomIn",k.zoomIn,["Z"],o=>o.roll?.zoom(1.25,1)),$("view","zoomOut",k.zoomOut,["Shift+Z"],o=>o.roll?.zoom(.8,1)),$("view","taller",k.taller,["Alt++"],o=>o.roll?.zoom(1,1.2)),$("view","flatter",k.flatter,["Alt+-"],o=>o.roll?.zoom(1,1/1.2)),$("view","fit",k.fit,["X"],o=>o.roll?.zoomToFit()),$("view","scale",k.scale,["Shift+C"],o=>o.set({scale:!o.view.scale})),$("view","theme",k.theme,["Shift+D"],xs),$("help","help",k.help,["?","F1"],o=>o.set({dialog:"help"})),$("help","palette",k.palette,["Ctrl+K"],o=>o.set({dialog:"palette"}))];function Vs(o,t){return Et.find(({keys:e,context:s})=>e.includes(o)&&(s==="always"||s===t))}function D(o){return Et.find(t=>t.id===o)?.keys[0]??""}function re(o,t){o.playing.seek(t),o.roll?.reveal(t)}function eo(o){o.playing.setMetronome(!o.playing.metronome),o.announcer.say(c.notices.metronome(o.playing.metronome))}function je(o,t){const e=Math.max(0,Math.min(Bt.length-1,o.view.grid+t));o.set({grid:e}),o.announcer.say(c.notices.grid(Bt[e]?.[0]||c.roll.off))}function me(o,t){const{range:e}=o.view,s=o.song?.bars;if(!s)return;const i=s.at(o.playing.tick);if(!e)return o.chooseBars([i,i]);const n=e[1]-e[0]+1,a=Math.max(1,e[0]+t*n);o.chooseBars([a,a+n-1]),o.roll?.reveal(s.start(a))}function Ge(o,t){const{range:e}=o.view;if(!e)return me(o,1);o.chooseBars([e[0],Math.max(e[0],e[1]+t)])}function so(o){const t=o.piece?.head;t&&(Dt(o,t,{star:!t.star}),o.announcer.say(c.notices.starred))}function le(o,t){const e=Ms(o);e&&ve(o,e,t)}function io(o){const t=Ms(o);t&&o.attempt(async()=>{await o.api.reveal(t),o.notices.say(c.notices.revealed)})}const oo={" ":"Space",Escape:"Esc",ArrowUp:"Up",ArrowDown:"Down",ArrowLeft:"Left",ArrowRight:"Right"};function no(o){const t=/^(?:Digit|Numpad)(\d)$/.exec(o.code)?.[1];let e=oo[o.key]??o.key;t!==void 0&&!o.shiftKey&&(e=t);const s=/^\p{L}$/u.test(e);s&&(e=e.toUpperCase());const i=o.shiftKey&&(s||e.length>1);return`${o.ctrlKey||o.metaKey?"Ctrl+":""}${o.altKey?"Alt+":""}${i?"Shift+":""}${e}`}function _t(o,t){return t?o.replace("Ctrl+","⌘").replace("Shift+","⇧").replace("Alt+","⌥"):o}const Tt=typeof navigator<"u"&&/Mac|iPhone|iPad/.test(navigator.userAgent);const ao={CHILD:2},Ks=o=>(...t)=>({_$litDirective$:o,values:t});let Ws=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,e,s){this._$Ct=t,this._$AM=e,this._$Ci=s}_$AS(t,e){return this.update(t,e)}update(t,e){return this.render(...e)}},Ee=!1;window.addEventListener("pointerdown",()=>{Ee=!0},{capture:!0});window.addEventListener("keydown",()=>{Ee=!1},{capture:!0});function ro(o){const{target:t}=o;t instanceof HTMLSelectElement&&Ee&&!t.form&&t.blur()}function lo(o){const{target:t}=o;!(o instanceof KeyboardEvent)||!(t instanceof HTMLInputElement)||t.form||o.key==="Enter"&&t.type!=="checkbox"&&!t.matches("[role=combobox]")&&t.blur()}class C extends ot{constructor(){super(...arguments),this.unsubscribe=null}static{this.properties={studio:{attribute:!1}}}connectedCallback(){super.connectedCallback(),this.subscribe()}disconnectedCallback(){super.disconnectedCallback(),this.unsubscribe?.(),this.unsubscribe=null}willUpdate(){this.subscribe()}createRenderRoot(){const t=super.createRenderRoot();return t.addEventListener("change",ro),t.addEventListener("keydown",lo),t}subscribe(){this.unsubscribe||!this.studio||!this.isConnected||(this.unsubscribe=this.studio.onChange(()=>this.requestUpdate()))}}class co extends Ws{constructor(){super(...arguments),this.names=new Set}render(t){}update(t,[e]){const s=t.element.style;for(const i of this.names)i in e||s.removeProperty(i);for(const[i,n]of Object.entries(e))s.setProperty(i,n);this.names=new Set(Object.keys(e))}}const jt=Ks(co),ho={play:"M5 3.5v9l7.5-4.5z",stop:"M4 4h8v8H4z",start:"M3 3h1.6v10H3zM13 3.5v9L5.6 8z",record:"M8 3.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6z",loop:"M4.5 4H11a3 3 0 0 1 3 3v1h-1.6V7A1.4 1.4 0 0 0 11 5.6H4.5V8L1 4.8 4.5 1.6zM11.5 12H5a3 3 0 0 1-3-3V8h1.6v1A1.4 1.4 0 0 0 5 10.4h6.5V8l3.5 3.2-3.5 3.2z",metronome:"M6 2h4l3 12H3zM7.2 3.6 5 12.4h6L9.9 8.2 7.4 11l-1-.9 3-3.3-.8-3.2z",undo:"M6.5 3v2.6H9a4 4 0 1 1 0 8H5V12h4a2.4 2.4 0 1 0 0-4.8H6.5v2.6L2 6.4z",redo:"M9.5 3v2.6H7a4 4 0 1 0 0 8h4V12H7a2.4 2.4 0 1 1 0-4.8h2.5v2.6L14 6.4z",close:"M4.2 3.1 8 6.9l3.8-3.8 1.1 1.1L9.1 8l3.8 3.8-1.1 1.1L8 9.1l-3.8 3.8-1.1-1.1L6.9 8 3.1 4.2z",star:"m8 1.8 1.9 4 4.3.6-3.1 3 .8 4.4L8 11.7l-3.9 2.1.8-4.4-3.1-3 4.3-.6z",trash:"M6 2h4l.6 1H14v1.5H2V3h3.4zM3.2 5.5h9.6l-.8 9H4zM6 7v6h1.2V7zm2.8 0v6H10V7z",ear:"M8 1.5a4.7 4.7 0 0 1 4.7 4.7c0 2-1 2.9-1.9 3.8-.7.8-1 1.5-1.2 2.3A2.9 2.9 0 0 1 4 12h1.6a1.3 1.3 0 0 0 2.5.1c.3-1.3.8-2.1 1.6-3 .8-.9 1.4-1.5 1.4-2.9a3.1 3.1 0 0 0-6.2 0H3.3A4.7 4.7 0 0 1 8 1.5zm0 2.6a2.1 2.1 0 0 1 2 2.1c0 1.1-.8 1.7-1.6 2l-.5-1.3c.4-.2.6-.4.6-.7a.6.6 0 0 0-1.1 0H6a2.1 2.1 0 0 1 2-2.1z",pencil:"m11.3 1.8 2.9 2.9L5.6 13.3l-3.9 1 1-3.9zM10 5.3 4.1 11.2l-.3 1 1-.3L10.7 6z",eye:"M8 3.5c3.3 0 5.7 2.2 7 4.5-1.3 2.3-3.7 4.5-7 4.5S2.3 10.3 1 8c1.3-2.3 3.7-4.5 7-4.5zm0 1.7a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",eyeOff:"m2.5 1.5 12 12-1 1-2.4-2.4a8 8 0 0 1-3.1.4C4.7 12.5 2.3 10.3 1 8a10 10 0 0 1 2.6-2.9L1.5 2.5zM8 3.5c3.3 0 5.7 2.2 7 4.5a10 10 0 0 1-1.5 2L6.6 3.7A8 8 0 0 1 8 3.5z",more:"M3 6.7a1.3 1.3 0 1 1 0 2.6 1.3 1.3 0 0 1 0-2.6zm5 0a1.3 1.3 0 1 1 0 2.6 1.3 1.3 0 0 1 0-2.6zm5 0a1.3 1.3 0 1 1 0 2.6 1.3 1.3 0 0 1 0-2.6z",library:"M2 2h3v12H2zm4 0h3v12H6zm4.3.6 2.9-.8 2.9 11.6-2.9.8z",theme:"M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zm0 1.6v9.8a4.9 4.9 0 0 0 0-9.8z",plus:"M7.2 3h1.6v4.2H13v1.6H8.8V13H7.2V8.8H3V7.2h4.2z",minus:"M3 7.2h10v1.6H3z",lock:"M5 7V5a3 3 0 1 1 6 0v2h1v7H4V7zm1.5 0h3V5a1.5 1.5 0 0 0-3 0z",table:"M2 3h12v10H2zm1.5 3v1.7h3.7V6zm5.2 0v1.7h3.8V6zM3.5 9.2v2.3h3.7V9.2zm5.2 0v2.3h3.8V9.2z",down:"M3.5 5.5 8 10l4.5-4.5 1 1L8 12 2.5 6.5z",check:"m6.3 12.3-4-4 1.2-1.2 2.8 2.8L12.5 3.7l1.2 1.2z",search:"M7 2a5 5 0 0 1 4 8l3.5 3.5-1.1 1.1L9.9 11A5 5 0 1 1 7 2zm0 1.6a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8z",folder:"M1.5 3h5l1.5 2h6.5v8.5h-13z",train:"M2 13V3h1.5v8.5H14V13zm3-3.5 3-3.6 2 2L13.5 4l1 1-4.4 5-2-2L6.2 10.5z"};function A(o){return Vi`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${ho[o]}></path></svg>`}const P=L`
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
`;function T(o){return o.target.value}const Fs=L`
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
`;function H(o,t){customElements.get(o)||customElements.define(o,t)}const uo=45e3;class po extends C{constructor(){super(...arguments),this.links=new Map}static{this.styles=[P,L`
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
          ${t.chips.map((i,n)=>this.chip(i,n+1))}
        </div>
        <div class="acts">
          ${e&&e.take.state!=="failed"?p`<button class="primary" @click=${()=>{this.studio.take()}}>${A("check")}${s?c.ideas.takeWaiting:c.ideas.take}<kbd>${D("take")}</kbd></button>`:b}
          ${t.growing.length>0?p`<button class="outlined" @click=${()=>{this.studio.attempt(()=>t.stopAll())}}>${t.growing.length>1?c.ideas.stopAll:c.ideas.stop}<kbd>${D("stopIdeas")}</kbd></button>`:b}
          <button class="outlined" @click=${()=>this.studio.again()}>
            ${c.ideas.again}<kbd>${D("again")}</kbd>
          </button>
          <button
            class="icon-only"
            aria-label=${c.commands.back}
            title=${`${c.ideas.back} (Esc)`}
            @click=${()=>t.close()}
          >
            ${A("close")}
          </button>
        </div>
      </div>
      ${e?this.detail(e):b}
    </section>`}chip(t,e){const{take:s}=t,i=s.state==="growing"?c.ideas.growing(t.bar):s.state==="failed"?c.ideas.failed:`${s.state==="stopped"?`${c.ideas.stopped}, `:""}${c.ideas.finished(ui(t.layer))}`,n=s.state==="finished"||s.state==="stopped";return p`<button
      class="chip ${s.state}"
      aria-pressed=${this.studio.ideas.heard===e}
      draggable=${n}
      title=${n?c.ideas.drag:""}
      aria-label=${`${c.ideas.chip(e)}: ${i}`}
      @pointerenter=${()=>n&&void this.prepareLink(s.id)}
      @dragstart=${a=>this.drag(a,s.id)}
      @click=${()=>this.studio.hear(e)}
    >
      <kbd>${e}</kbd><span class="state">${i}</span>
    </button>`}detail(t){const{take:e,report:s}=t;if(e.state==="growing")return p`<div class="detail">
        <span>${e.title}</span>
        <button class="small outlined" @click=${()=>{this.studio.attempt(()=>this.studio.ideas.stop(t))}}>
          ${c.ideas.stop}
        </button>
      </div>`;if(e.state==="failed")return p`<div class="detail"><span class="error">${e.error??c.ideas.failed}</span></div>`;const i=e.outsideChanged;return p`<div class="detail">
      <span class=${i===0?"good":i===null?"muted":"bad"}
        >${i===null?c.ideas.outsideUnknown:c.ideas.outside(i)}</span
      >
      ${this.originality(s)}
      ${s?.ranking?p`<span><strong>${c.ideas.rank(s.ranking.place,s.ranking.of)}</strong>${s.ranking.reasons.length>0?p`: ${s.ranking.reasons.join("; ")}`:b}</span>`:b}
      ${e.seed===null?b:p`<span class="muted">${c.ideas.seed(e.seed)}</span>`}
      <button class="small" @click=${()=>{ve(this.studio,e.id,"mid")}}>${c.commands.midi}</button>
    </div>`}originality(t){if(!t)return this.studio.ideas.current?.take.state==="finished"?p`<span class="muted">${c.ideas.reportPending}</span>`:b;const e=t.originality;return e?p`<span class="row"
      ><span title=${e.source??""}
        >${fo(e.verdict)}${e.source?p`<span class="muted"> (${e.source})</span>`:b}</span
      >
      ${e.from===null||e.to===null?b:p`<button class="small outlined" @click=${()=>this.studio.hearPassage()}>${A("ear")}${c.ideas.hearPassage}<kbd>${D("passage")}</kbd></button>`}</span
    >`:b}async prepareLink(t){if(!((this.links.get(t)?.until??0)>Date.now()))try{const{url:e}=await this.studio.api.link(t);this.links.set(t,{url:e,until:Date.now()+uo})}catch{}}drag(t,e){const s=this.links.get(e);if(!s||!t.dataTransfer)return t.preventDefault();const i=new URL(s.url,location.href).href;t.dataTransfer.effectAllowed="copy",t.dataTransfer.setData("DownloadURL",`audio/midi:${pi(this.studio.piece?.title??"idea","mid")}:${i}`),t.dataTransfer.setData("text/uri-list",i)}}function fo(o){return o.charAt(0).toUpperCase()+o.slice(1)}H("toccata-chips",po);class qs extends C{firstUpdated(){this.renderRoot.querySelector("[autofocus]")?.focus()}}class go extends qs{static{this.properties={...C.properties,renaming:{state:!0}}}static{this.styles=[P,L`
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
    `]}constructor(){super(),this.renaming=null}render(){const{studio:t}=this,e=(t.server?.pieces??[]).filter(({deleted:s})=>!s).sort((s,i)=>i.changed-s.changed);return p`<div class="row wrap">
        <button class="primary" autofocus @click=${()=>t.set({dialog:"new"})}>
          ${A("plus")}${c.library.new}
        </button>
        <button class="outlined" @click=${()=>{ws(t)}}>${c.library.open}</button>
        <span class="muted small">${c.library.drop}</span>
      </div>
      ${this.writing()}
      ${e.length===0?p`<p class="muted">${c.library.none}</p>`:b}
      <ul class="pieces">
        ${e.map(s=>this.piece(s))}
      </ul>
      <p class="muted small">${c.library.folder(t.server?.library??"")}</p>`}writing(){const{studio:t}=this,{model:e}=t;return e?.verbs.includes("generate")?p`<form
      class="row wrap"
      @submit=${s=>{s.preventDefault(),fi(t,String(new FormData(s.target).get("style")??""))}}
    >
      <span class="muted small">${c.library.writeHint}</span>
      ${e.styles.length===0?b:p`<select name="style" aria-label=${c.library.style}>
              <option value="">${c.library.anyStyle}</option>
              ${e.styles.map(s=>p`<option>${s}</option>`)}
            </select>`}
      <button class="outlined" type="submit">${A("pencil")}${c.library.write}</button>
    </form>`:b}piece(t){const{studio:e}=this,s=e.piece?.id===t.id;return p`<li>
      ${this.renaming===t.id?p`<input
              class="open"
              autofocus
              aria-label=${c.library.rename}
              .value=${t.title}
              @change=${i=>{As(e,t.id,T(i))}}
              @blur=${()=>{this.renaming=null}}
              @keydown=${i=>{i.key==="Enter"&&i.target.blur()}}
            />`:p`<button
              class="open"
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
        ${A("pencil")}
      </button>
      <button
        class="small icon-only"
        aria-label=${`${c.library.delete} ${t.title}`}
        title=${c.library.delete}
        @click=${()=>{gi(e,t)}}
      >
        ${A("trash")}
      </button>
    </li>`}rename(t){this.renaming=t,this.updateComplete.then(()=>this.renderRoot.querySelector("input.open")?.select())}}class mo extends qs{static{this.styles=[P,Fs,L`
      form {
        display: grid;
        gap: 10px;
      }
    `]}render(){return p`<form
      @submit=${t=>{t.preventDefault();const e=new FormData(t.target),[s,i]=String(e.get("meter")).split("/").map(Number);mi(this.studio,String(e.get("title")??""),Number(e.get("tempo")),[s??4,i??4])}}
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
    </form>`}}H("toccata-library",go);H("toccata-new-piece",mo);class bo extends C{constructor(){super(),this.returnTo=null,this.close=()=>{this.studio.set({dialog:null})},this.words="",this.at=0,this.busy=!1}static{this.properties={...C.properties,words:{state:!0},at:{state:!0},busy:{state:!0}}}static{this.styles=[P,L`
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
    `]}updated(){const t=this.renderRoot.querySelector("dialog");t||(this.returnTo instanceof HTMLElement&&this.returnTo.focus(),this.returnTo=null),!(!t||t.open)&&(this.words="",this.at=0,this.returnTo??=document.activeElement,t.showModal(),t.querySelector("[autofocus]")?.focus())}render(){switch(this.studio.view.dialog){case"help":return this.frame(c.help.title,this.help());case"palette":return this.palette();case"library":return this.frame(c.library.label,p`<toccata-library .studio=${this.studio}></toccata-library>`);case"new":return this.frame(c.library.new,p`<toccata-new-piece .studio=${this.studio}></toccata-new-piece>`);case"soundfont":return this.frame(c.transport.sound,this.sound());default:return b}}frame(t,e){return p`<dialog
      aria-label=${t}
      @close=${this.close}
      @click=${this.outside}
      @keydown=${s=>s.stopPropagation()}
    >
      <div class="head">
        <h2>${t}</h2>
        <span class="spread"></span>
        <button class="icon-only" aria-label=${c.help.close} title=${c.help.close} @click=${this.close}>
          ${A("close")}
        </button>
      </div>
      <div class="body" tabindex="-1">${e}</div>
    </dialog>`}outside(t){t.target===t.currentTarget&&this.close()}help(){const t=Object.entries(c.groups).map(([e,s])=>({title:s,commands:Et.filter(i=>i.group===e&&i.keys.length>0&&!/^hear[2-9]$/.test(i.id))}));return p`<h3>${c.help.three}</h3>
      <ol class="tips" tabindex="0">
        ${c.help.tips.map(e=>p`<li>${e}</li>`)}
      </ol>
      <div class="groups">
        ${t.map(({title:e,commands:s})=>p`<section>
              <h3>${e}</h3>
              ${s.map(i=>p`<div><span>${i.id==="hear1"?c.help.hearAny:i.name}</span>${i.id==="hear1"?p`<span class="keys"><kbd>1–9</kbd></span>`:Qe(i)}</div>`)}
            </section>`)}
      </div>`}found(){const t=this.words.toLowerCase().split(/\s+/).filter(Boolean);return Et.filter(({name:e,group:s})=>t.every(i=>`${e} ${c.groups[s]}`.toLowerCase().includes(i)))}palette(){const t=this.found();return p`<dialog
      aria-label=${c.commands.palette}
      @close=${this.close}
      @click=${this.outside}
      @keydown=${this.paletteKey}
    >
      <div class="search">
        ${A("search")}<input
          autofocus
          role="combobox"
          aria-expanded="true"
          aria-controls="found"
          aria-label=${c.help.filter}
          placeholder=${c.help.filter}
          aria-activedescendant=${t[this.at]?`found-${this.at}`:b}
          .value=${this.words}
          @input=${e=>{this.words=T(e),this.at=0}}
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
              ><span class="muted small">${c.groups[e.group]}</span>${Qe(e)}
            </li>`)}
        ${t.length===0?p`<li class="muted">${c.help.nothing}</li>`:b}
      </ul>
    </dialog>`}paletteKey(t){t.stopPropagation();const e=this.found(),s={ArrowDown:1,ArrowUp:-1}[t.key],i=e[this.at];if(s!==void 0)this.at=Math.max(0,Math.min(e.length-1,this.at+s)),this.updateComplete.then(()=>this.renderRoot.querySelector("[aria-selected='true']")?.scrollIntoView({block:"nearest"}));else if(t.key==="Enter"&&i)this.run(i);else return;t.preventDefault()}run(t){this.close(),t.run(this.studio)}sound(){const{studio:t}=this,e=t.server?.soundfont??null,s=i=>{this.busy=!0,i.finally(()=>{this.busy=!1,this.close()})};return p`<p class="muted">${c.transport.soundNote}</p>
      <br />
      <div class="row">
        ${e?p`<button class="primary" autofocus ?disabled=${this.busy} @click=${()=>s(bi(t))}>${this.busy?c.transport.loading:c.transport.useLibrary(e.name)}</button>`:b}
        <button
          class="outlined"
          ?disabled=${this.busy}
          @click=${()=>{Ss(".sf2,.sf3",!1,!1).then(([i])=>i&&s($i(t,i.name,()=>i.arrayBuffer())))}}
        >
          ${c.transport.fromFile}
        </button>
        <button
          class="outlined"
          @click=${()=>{ki(t),this.close()}}
        >
          ${c.transport.builtIn}
        </button>
      </div>`}}function Qe(o){return p`<span class="keys"
    >${o.keys.slice(0,2).map(t=>p`<kbd>${_t(t,Tt)}</kbd>`)}</span
  >`}H("toccata-dialogs",bo);const{I:$o}=Qi,Ye=o=>o,Xe=()=>document.createComment(""),ut=(o,t,e)=>{const s=o._$AA.parentNode,i=t===void 0?o._$AB:t._$AA;if(e===void 0){const n=s.insertBefore(Xe(),i),a=s.insertBefore(Xe(),i);e=new $o(n,a,o,o.options)}else{const n=e._$AB.nextSibling,a=e._$AM,r=a!==o;if(r){let l;e._$AQ?.(o),e._$AM=o,e._$AP!==void 0&&(l=o._$AU)!==a._$AU&&e._$AP(l)}if(n!==i||r){let l=e._$AA;for(;l!==n;){const h=Ye(l).nextSibling;Ye(s).insertBefore(l,i),l=h}}}return e},Q=(o,t,e=o)=>(o._$AI(t,e),o),ko={},yo=(o,t=ko)=>o._$AH=t,vo=o=>o._$AH,ce=o=>{o._$AR(),o._$AA.remove()};const Ze=(o,t,e)=>{const s=new Map;for(let i=t;i<=e;i++)s.set(o[i],i);return s},ee=Ks(class extends Ws{constructor(o){if(super(o),o.type!==ao.CHILD)throw Error("repeat() can only be used in text expressions")}dt(o,t,e){let s;e===void 0?e=t:t!==void 0&&(s=t);const i=[],n=[];let a=0;for(const r of o)i[a]=s?s(r,a):a,n[a]=e(r,a),a++;return{values:n,keys:i}}render(o,t,e){return this.dt(o,t,e).values}update(o,[t,e,s]){const i=vo(o),{values:n,keys:a}=this.dt(t,e,s);if(!Array.isArray(i))return this.ut=a,n;const r=this.ut??=[],l=[];let h,d,u=0,g=i.length-1,f=0,m=n.length-1;for(;u<=g&&f<=m;)if(i[u]===null)u++;else if(i[g]===null)g--;else if(r[u]===a[f])l[f]=Q(i[u],n[f]),u++,f++;else if(r[g]===a[m])l[m]=Q(i[g],n[m]),g--,m--;else if(r[u]===a[m])l[m]=Q(i[u],n[m]),ut(o,l[m+1],i[u]),u++,m--;else if(r[g]===a[f])l[f]=Q(i[g],n[f]),ut(o,i[u],i[g]),g--,f++;else if(h===void 0&&(h=Ze(a,f,m),d=Ze(r,u,g)),h.has(r[u]))if(h.has(r[g])){const y=d.get(a[f]),w=y!==void 0?i[y]:null;if(w===null){const M=ut(o,i[u]);Q(M,n[f]),l[f]=M}else l[f]=Q(w,n[f]),ut(o,i[u],w),i[y]=null;f++}else ce(i[g]),g--;else ce(i[u]),u++;for(;f<=m;){const y=ut(o,l[m+1]);Q(y,n[f]),l[f++]=y}for(;u<=g;){const y=i[u++];y!==null&&ce(y)}return this.ut=a,yo(o,l),J}});class wo extends C{static{this.styles=[P,L`
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
    `]}connectedCallback(){super.connectedCallback(),this.studio.announcer.show=t=>{const e=this.renderRoot.querySelector(".live");e&&(e.textContent=t)}}render(){const{studio:t}=this;return p`<div class="live unseen" role="status" aria-live="polite"></div>
      <section aria-label=${c.notices.label}>
        ${t.connected?b:p`<div class="message gone" role="alert"><p>${c.notices.goneLine}</p></div>`}
        ${ee(t.notices.list,({id:e})=>e,e=>this.message(e))}
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
        ${A("close")}
      </button>
    </div>`}}H("toccata-messages",wo);class xo extends C{static{this.styles=[P,L`
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
      @change=${s=>{t.set({model:T(s),hint:null}),t.view.remember("model",T(s))}}
    >
      ${e.length>0?b:p`<option>${c.bar.noModel}</option>`}
      ${e.map(s=>p`<option value=${s.name} ?selected=${s.name===t.model?.name}>${s.title||s.name}</option>`)}
    </select>`}}H("toccata-model-chooser",xo);const Mo={density:8,register:8,polyphony:6},Ao=8;class So extends C{static{this.styles=[P,L`
      :host {
        display: block;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
        padding: 4px 12px 10px;
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
    `]}get values(){return this.studio.view.options}put(t){this.studio.set({options:{...this.values,...t}})}render(){const{studio:t}=this,{model:e}=t,s=this.values,i=c.options;return p`<section aria-label=${c.strip.controls}>
      <div class="grid">
        <label class="model"
          ><span>${c.strip.model}</span><toccata-model-chooser .studio=${t}></toccata-model-chooser
        ></label>
        ${this.number("n",i.n,1,Ao,1,c.strip.usual)}
        <label
          ><span>${i.key}</span
          ><input
            class="key"
            .value=${s.key}
            placeholder=${i.keyHint}
            @change=${n=>this.put({key:T(n).trim()})}
        /></label>
        ${this.number("tempo",i.tempo,20,400,1,c.strip.any)} ${this.level("density",i.density)}
        <label><span>${i.programs}</span>${this.instruments()}</label>
        <label
          ><span>${i.style}</span
          ><select @change=${n=>this.put({style:T(n)})}>
            <option value="">${c.strip.any}</option>
            ${(e?.styles??[]).map(n=>p`<option ?selected=${n===s.style}>${n}</option>`)}
          </select></label
        >
        <label
          ><span>${i.chords}</span
          ><input
            class="chords"
            .value=${s.chords}
            placeholder=${i.chordsHint}
            @change=${n=>this.put({chords:T(n)})}
        /></label>
        ${this.number("temperature",i.temperature,0,10,.05,c.strip.any)}
        <button class="small" @click=${()=>t.set({options:{...Le}})}>${i.reset}</button>
      </div>
      <details
        ?open=${t.view.moreOptions}
        @toggle=${n=>{t.view.moreOptions=n.target.open}}
      >
        <summary>${c.strip.more}</summary>
        <div class="grid">
          ${this.number("bars",i.bars,1,64,1,"")} ${this.level("register",i.register)}
          ${this.level("polyphony",i.polyphony)}
          <label class="check"
            ><input
              type="checkbox"
              .checked=${s.end}
              @change=${n=>this.put({end:n.target.checked})}
            /><span>${i.end}</span></label
          >
          <label
            ><span>${c.verbs.vary.name}: ${i.keep.toLowerCase()}</span
            ><select @change=${n=>this.put({keep:T(n)})}>
              ${Object.entries(i.keeps).map(([n,a])=>p`<option value=${n} ?selected=${n===s.keep}>${a}</option>`)}
            </select></label
          >
          <label
            ><span>${c.verbs.vary.name}: ${i.strength.toLowerCase()} ${Math.round(s.strength*100)} %</span>
            <input
              type="range"
              min="0.05"
              max="1"
              step="0.05"
              .value=${String(s.strength)}
              @input=${n=>this.put({strength:Number(T(n))})}
          /></label>
          <fieldset>
            <legend class="unseen">${i.voices}</legend>
            <span class="muted">${c.verbs.harmonise.name}:</span>
            ${Object.entries(i.voiceNames).map(([n,a])=>this.voice(n,a))}
          </fieldset>
          ${this.number("seed",i.seed,0,2**31-1,1,c.strip.any)}
        </div>
        <p class="note">${i.note}</p>
      </details>
    </section>`}number(t,e,s,i,n,a){const r=this.values[t];return p`<label
      ><span>${e}</span
      ><input
        type="number"
        min=${s}
        max=${i}
        step=${n}
        placeholder=${a}
        .value=${r===null?"":String(r)}
        @change=${l=>{const h=T(l),d=Math.max(s,Math.min(i,Number(h)));t==="bars"?this.put({bars:h===""?Le.bars:d}):this.put({[t]:h===""?null:d})}}
    /></label>`}level(t,e){const s=this.values[t],i=this.studio.model?.controls[t]??Mo[t];return p`<label
      ><span>${e}</span
      ><select @change=${n=>this.put({[t]:T(n)===""?null:Number(T(n))})}>
        <option value="" ?selected=${s===null}>${c.strip.any}</option>
        ${Array.from({length:i},(n,a)=>p`<option value=${a+1} ?selected=${s===a+1}>${Eo(t,a+1,i)}</option>`)}
      </select></label
    >`}instruments(){const{programs:t}=this.values,e=[...this.studio.model?.programs??[]].sort((i,n)=>i-n),s=t.length===0?c.strip.any:t.map(i=>Vt(i,i===pe)).join(", ");return p`<select
      @change=${i=>{const n=T(i),a=Number(n);n==="none"?this.put({programs:[]}):n!==""&&this.put({programs:t.includes(a)?t.filter(r=>r!==a):[...t,a]}),i.target.value=""}}
    >
      <option value="" selected>${s}</option>
      ${t.length>0?p`<option value="none">${c.strip.any}</option>`:b}
      ${e.map(i=>p`<option value=${i}>${t.includes(i)?"✓ ":""}${Vt(i,i===pe)}</option>`)}
    </select>`}voice(t,e){const{voices:s}=this.values;return p`<label class="check"
      ><input
        type="checkbox"
        .checked=${s.includes(t)}
        @change=${()=>this.put({voices:["alto","tenor","bass"].filter(i=>i===t!==s.includes(i))})}
      /><span>${e}</span></label
    >`}}function Eo(o,t,e){return o!=="density"?String(t):t===1?`1 ${c.options.sparse}`:t===e?`${t} ${c.options.busy}`:String(t)}H("toccata-options",So);const _o=["C","C♯","D","D♯","E","F","F♯","G","G♯","A","A♯","B"],To=["C","D♭","D","E♭","E","F","G♭","G","A♭","A","B♭","B"],Co=[0,2,4,5,7,9,11],Ro=[0,2,3,5,7,8,10];function at(o,t=0){return`${(t<0?To:_o)[o%12]}${Math.floor(o/12)-1}`}function yt(o){return[1,3,6,8,10].includes(o%12)}function Lt(o,t){let e=null;for(const[s,i,n]of o){if(s>t&&e)break;(s<=t||!e)&&(e={fifths:i,minor:n>0})}return e}function Lo(o){return((o.fifths*7+(o.minor?9:0))%12+12)%12}function zo(o){const t=Lo(o),e=new Set((o.minor?Ro:Co).map(s=>(t+s)%12));return Array.from({length:12},(s,i)=>e.has(i))}function js(o){return yi[o]??""}function Ho(){return{song:null,activeTrack:null,ghosts:new Set,hidden:new Set,idea:null,locks:vi,selection:new Kt,range:null,loop:null,tool:"select",grid:0,scaleTint:!1,readonly:!1,cursor:0,preview:null,velocities:null,band:null,focus:null,walking:!1,pressed:new Set}}function Ct(o){const t=i=>i.track===o.activeTrack,e=(o.song?.tracks??[]).map((i,n)=>({track:i,place:n,ghost:o.ghosts.has(i.track)&&!t(i)})).filter(({track:i})=>!o.hidden.has(i.track)||t(i)),s=i=>i.ghost?0:i.track.track===o.activeTrack?2:1;return e.sort((i,n)=>s(i)-s(n))}function tt(o){return Ct(o).filter(t=>!t.ghost)}function se(o){if(!o.song)return null;const t=ie(o);return t||o.song.tracks.length>0?t:{track:wi(0,!1),program:0,drum:!1,name:""}}function ie(o){return o.song?(o.activeTrack===null?void 0:o.song.track(o.activeTrack))??tt(o)[0]?.track??null:null}function _e(o){const t=new Set(tt(o).map(e=>e.track.track));return(o.song?.tracks??[]).filter(e=>t.has(e.track))}function Gs(o,t,e){const{notes:s}=o;let i=Wt(s.tick,t);for(;i<s.count&&s.tick[i]===t&&s.pitch[i]<e;)i++;return i}function Po({track:o,index:t}){return{track:o.track,tick:o.notes.tick[t],pitch:o.notes.pitch[t]}}function No(o,t){const e=i=>i.track.notes.tick[i.index],s=i=>i.track.notes.pitch[i.index];return e(o)-e(t)||s(o)-s(t)||o.order-t.order}function Oo(o,t,e,s){const i=_e(o),n=t?i.findIndex(r=>r.track===t.track):-1;let a=null;return i.forEach((r,l)=>{let h=t?Gs(r,t.tick,t.pitch):Wt(r.notes.tick,e);if(t){const u=r.notes.tick[h]===t.tick&&r.notes.pitch[h]===t.pitch;s&&u&&l<=n&&h++,!s&&!(u&&l<n)&&h--}else s||h--;if(h<0||h>=r.notes.count)return;const d={track:r,order:l,index:h};(!a||No(d,a)<0===s)&&(a=d)}),a?Po(a):null}function Io(o,t,e){const s=o.song?.bars;if(!s)return null;const i=s.at(t.tick);let n=null,a=1/0;for(const r of _e(o))for(const l of r.notes.within(s.start(Math.max(1,i-1)),s.start(i+2))){const[h,d,u]=U(r.notes,l),g=e?u-t.pitch:t.pitch-u;if(g<=0)continue;const m=(h<=t.tick&&h+d>t.tick?0:Math.abs(h-t.tick))*128+g;m>=a||(a=m,n={track:r.track,tick:h,pitch:u})}return n}function Do(o,t){const{song:e}=o,s=e?.track(t.track),i=s?.notes.find(t.tick,t.pitch)??-1;if(!e||!s||i<0)return"";const[n,a,r]=U(s.notes,i),l=e.bars.place(n),h=e.ticksPerQuarter*4/(e.bars.meter(l.bar)[1]||4),d=l.rest>.005?Uo(l.rest):"",u=_e(o),g=u.reduce((y,w)=>y+w.notes.count,0);let f=1;u.forEach((y,w)=>{const M=Gs(y,n,r),_=y.notes.tick[M]===n&&y.notes.pitch[M]===r;f+=M+(_&&w<u.indexOf(s)?1:0)});const m=[s.drum?js(r)||W.drum(r):at(r,Lt(e.keys,n)?.fifths??0),W.place(l.bar,l.beat,d),Bo(a/h),W.number(f,g)];return u.length>1&&m.push(s.name||W.track(e.tracks.indexOf(s)+1)),o.selection.has(t.track,t.tick,t.pitch)&&m.push(W.selected),o.locks.has(t.track,t.tick,t.pitch)&&m.push(W.locked),m.join(", ")}function Uo(o){return W.partsOfBeat.find(([t])=>Math.abs(t-o)<.005)?.[1]??o.toFixed(2)}function Bo(o){const t=W.lengths.find(([e])=>Math.abs(e-o)<.02*e);return t?t[1]:W.beats(Number(o.toFixed(2)))}const Vo=`
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
}`,Qs=10,Rt=8,Ko=["back","black-row","outside-scale","after-end","line-bar","line-beat","line-grid","line-octave","panel","panel-line","text","text-soft","key-white","key-black","key-text","key-down","range","loop","cursor","selected","idea","focus"],Wo=.6;function Fo(o){return`var(--roll-track-${o%Qs+1})`}function qo(){document.adoptedStyleSheets.some(o=>o===pt)||(pt||(pt=new CSSStyleSheet,pt.replaceSync(Vo)),document.adoptedStyleSheets=[pt,...document.adoptedStyleSheets])}let pt=null;function jo(o){const t=getComputedStyle(o),e=a=>(o.style.color=`var(--roll-${a})`,t.color),s=Object.fromEntries(Ko.map(a=>[a,e(a)])),i=Ys(s.back),n=Array.from({length:Qs},(a,r)=>Je(e(`track-${r+1}`),i));return{of:s,tracks:n,idea:Je(s.idea,i)}}function Ys(o){const t=o.match(/[\d.]+/g)?.map(Number)??[];return[t[0]??0,t[1]??0,t[2]??0]}function zt(o,t,e){return[0,1,2].map(s=>Math.round(o[s]*(1-e)+t[s]*e))}function Ht(o){return`rgb(${o.join(" ")})`}function Xs(o){const[t,e,s]=o.map(i=>{const n=i/255;return n<=.04045?n/12.92:((n+.055)/1.055)**2.4});return .2126*t+.7152*e+.0722*s}function Go(o){const t=Xs(o);return 1.05/(t+.05)>(t+.05)/.056?"rgb(255 255 255)":"rgb(16 19 26)"}function Je(o,t){const e=Ys(o),s=[12,14,20],i=Rt-1,n=Array.from({length:Rt},(a,r)=>zt(e,t,Wo*(1-r/i)));return{fill:n.map(Ht),edge:Ht(Xs(t)>.3?zt(e,s,.35):zt(e,s,.55)),text:n.map(Go),ghost:Ht(zt(e,t,.74)),plain:Ht(e)}}function X(o){return Math.min(Rt-1,o>>4)}const z=128,ts=48,be=16,Qo=720,Yo=.05,Xo=40,Zo=3,es=1.15,ss={ratio:1,width:0,height:0,tickWidth:ts/480,keyHeight:be,quarter:ts,key:be,left:0,top:0,ticksPerQuarter:480,end:0};function it(o,t,e){return Math.max(t,Math.min(e,o))}function $e(o,t){const e={...o,...t},s=it(e.quarter,Yo,Qo),i=it(e.key,Zo,Xo),n=s*e.ratio/e.ticksPerQuarter,a=Math.max(2,Math.round(i*e.ratio)),r=Math.max(0,Math.ceil(e.end*n)-e.width),l=Math.max(0,z*a-e.height),h=Math.round(it(e.left,0,r)),d=Math.round(it(e.top,0,l));return{...e,quarter:s,key:i,tickWidth:n,keyHeight:a,left:h,top:d}}function E(o,t){return Math.round(t*o.tickWidth)-o.left}function R(o,t){return(t+o.left)/o.tickWidth}function F(o,t){return(z-1-t)*o.keyHeight-o.top}function O(o,t){return it(z-1-Math.floor((t+o.top)/o.keyHeight),0,z-1)}function Gt(o,t,e,s,i){const n=R(o,s),a=(i+o.top)/o.keyHeight,r=$e(o,{quarter:o.quarter*t,key:o.key*e});return $e(r,{left:n*r.tickWidth-s,top:a*r.keyHeight-i})}function Zs(o){return o>3?o-1:Math.max(1,o)}function Js(o){return o.keyHeight>5?o.keyHeight-1:o.keyHeight}function B(o,t,e,s){const i=Math.round(t*o.tickWidth),n=Zs(Math.round((t+e)*o.tickWidth)-i);return[i-o.left,F(o,s),n,Js(o)]}const Jo=16,tn=1,en=2;function sn(o,t){const e=o.deltaMode===tn?Jo:o.deltaMode===en?t:1;return{x:o.deltaX*e,y:o.deltaY*e}}function is(o){return it(Math.exp(-o/700),1/es,es)}const on=200,nn=2,an=5,rn=500,ln=13,cn=26;class N{constructor(){this.boxes=[]}push(t,e,s,i){this.boxes.push(t,e,s,i)}fill(t,e){const{boxes:s}=this;t.fillStyle=e;for(let i=0;i<s.length;){t.beginPath();const n=Math.min(s.length,i+4*on);for(;i<n;i+=4)t.rect(s[i],s[i+1],s[i+2],s[i+3]);t.fill()}}}function*hn(o,t,e,s,i,n){const a={notes:0,begun:0},r=i.list().length>0;for(const l of e){const h=s.tracks[l.place%s.tracks.length],d=new dn(t,h,l.ghost),{track:u}=l.track,g=r&&!l.ghost?(f,m)=>i.has(u,f,m):null;yield*d.gather(l.track.notes,a,g),d.fill(o),yield,!l.ghost&&(l.track.drum||d.names(o,l.track.notes,n),d.locks(o,l.track.notes))}return a}class dn{constructor(t,e,s){this.view=t,this.shade=e,this.ghost=s,this.edges=new N,this.fills=Array.from({length:Rt},()=>new N),this.named=[],this.locked=[],this.top=O(t,0),this.bottom=O(t,t.height-1),this.border=Math.max(1,Math.floor(t.ratio))}*gather(t,e,s){const{view:i,ghost:n}=this,{tick:a,length:r,pitch:l,velocity:h}=t,{tickWidth:d,keyHeight:u,left:g,width:f}=i,m=Math.floor(R(i,-1)),y=Math.ceil(R(i,f)),w=Js(i),M=new un(this.fills,w);let _=0;for(const x of t.within(m,y)){++_%rn===0&&(yield);const I=l[x];if(I>this.top||I<this.bottom)continue;const ct=Math.round(a[x]*d),q=Zs(Math.round((a[x]+r[x])*d)-ct),K=ct-g;if(K>=f||K+q<=0)continue;e.notes++,K>=0&&e.begun++,s?.(a[x],I)&&this.locked.push(x);const ht=(z-1-I)*u-i.top,Re=n?0:X(h[x]);q<nn?M.add(I,K,ht,q,Re):this.note(K,ht,q,w,Re,x)}M.end()}note(t,e,s,i,n,a){const r=this.fills[n],{border:l,view:h}=this;if(this.ghost||s<=2*l+1||i<=2*l+an){r.push(t,e,s,i);return}this.edges.push(t,e,s,i),r.push(t+l,e+l,s-2*l,i-2*l),Te(h,s)&&this.named.push(a)}fill(t){this.edges.fill(t,this.shade.edge);const{ghost:e,shade:s}=this;this.fills.forEach((i,n)=>i.fill(t,e?s.ghost:s.fill[n]))}locks(t,e){for(const s of this.locked){const[i,n,a,r]=U(e,s),l=this.shade.text[X(r)];ti(t,this.view,B(this.view,i,n,a),l)}}names(t,e,s){if(this.named.length!==0){ei(t,this.view);for(const i of this.named){const n=U(e,i);si(t,this.view,n,s,this.shade.text[X(n[3])])}}}}function ti(o,t,[e,s,i,n],a){const r=Math.max(1,Math.round(t.ratio));o.fillStyle=a;const l=Math.min(2*r,Math.max(1,i>>2));if(o.fillRect(e+r,s+r,l,n-2*r),o.fillRect(e+i-r-l,s+r,l,n-2*r),n<9*r||i<16*r)return;const h=Math.min(7*r,n-5*r),d=e+i-l-3*r-h,u=s+n-2*r-Math.round(h*.7);o.fillRect(d,u,h,Math.round(h*.7)),o.strokeStyle=a,o.lineWidth=r,o.beginPath(),o.arc(d+h/2,u,h/2-r,Math.PI,0),o.stroke()}function Te(o,t){return o.keyHeight>=ln*o.ratio&&t>=cn*o.ratio}function ei(o,t){const e=Math.min(11,Math.floor(t.keyHeight/t.ratio)-4);o.font=`500 ${e*t.ratio}px system-ui, sans-serif`,o.textBaseline="middle",o.textAlign="left"}function si(o,t,[e,s,i],n,a){const[r,l,,h]=B(t,e,s,i);o.fillStyle=a,o.fillText(at(i,n),r+4*t.ratio,l+h/2+.5)}class un{constructor(t,e){this.fills=t,this.height=e,this.begin=new Int32Array(z).fill(-1),this.until=new Int32Array(z),this.y=new Int32Array(z),this.step=new Uint8Array(z)}add(t,e,s,i,n){if(this.begin[t]>=0&&e<=this.until[t]){this.until[t]=Math.max(this.until[t],e+i),this.step[t]=Math.max(this.step[t],n);return}this.flush(t),this.begin[t]=Math.max(0,e),this.until[t]=e+i,this.y[t]=s,this.step[t]=n}end(){for(let t=0;t<z;t++)this.flush(t)}flush(t){const e=this.begin[t];if(e<0)return;this.fills[this.step[t]].push(e,this.y[t],this.until[t]-e,this.height),this.begin[t]=-1}}const pn=7,fn=9,gn=12,mn=26;function bn(o,t,e,s){if(o.fillStyle=s.of.back,o.fillRect(0,0,t.width,t.height),$n(o,t,e,s),!e.song)return;yn(o,t,e.song,e.grid,s);const i=E(t,e.song.end);i<t.width&&(o.fillStyle=s.of["after-end"],o.fillRect(Math.max(0,i),0,t.width,t.height))}function $n(o,t,e,s){const i=O(t,0),n=O(t,t.height-1);for(const r of kn(t,e))for(let l=n;l<=i;l++){const h=r.scale!==null&&!r.scale[l%12];!h&&!yt(l)||r.scale!==null&&!h||(o.fillStyle=s.of[h?"outside-scale":"black-row"],o.fillRect(r.from,F(t,l),r.to-r.from,t.keyHeight))}const a=Math.max(1,Math.floor(t.ratio));for(let r=n;r<=i;r++){const l=r%12===0;!l&&t.keyHeight<8*t.ratio||(o.fillStyle=s.of[l?"line-octave":"line-grid"],o.fillRect(0,F(t,r)+t.keyHeight-a,t.width,a))}}function kn(o,t){const e=t.song?.keys??[];if(!t.scaleTint||e.length===0)return[{from:0,to:o.width,scale:null}];const s=R(o,0),i=R(o,o.width),n=e.map(([r])=>r).filter(r=>r>s&&r<i),a=[s,...n,i];return a.slice(0,-1).map((r,l)=>{const h=Lt(e,r),d=l===0?0:E(o,r),u=l===a.length-2?o.width:E(o,a[l+1]);return{from:d,to:u,scale:h?zo(h):null}})}function yn(o,t,e,s,i){const n=Math.max(1,Math.floor(t.ratio)),a=R(t,t.width),[r,l,h]=[new N,new N,new N],d=(y,w)=>y.push(E(t,w),0,n,t.height),u=[...oe(t,e)],[g,f]=u,m=g&&f?E(t,e.bars.start(f))-E(t,e.bars.start(g)):1/0;for(const y of u){const w=e.bars.start(y),M=Math.min(e.bars.start(y+1),a),_=e.ticksPerQuarter*4/(e.bars.meter(y)[1]||4);if(s>0&&s*t.tickWidth>=pn*t.ratio)for(let x=w+s;x<M;x+=s)d(r,x);if(_*t.tickWidth>=fn*t.ratio)for(let x=w+_;x<M;x+=_)d(l,x);d(h,w)}r.fill(o,i.of["line-grid"]),l.fill(o,i.of["line-beat"]),h.fill(o,i.of[m<mn*t.ratio?"line-beat":"line-bar"])}function*oe(o,t,e=gn){const s=R(o,o.width),i=t.bars.at(Math.max(0,R(o,0))),n=(t.bars.start(i+1)-t.bars.start(i))*o.tickWidth,a=vn(n,e*o.ratio);for(let r=i-(i-1)%a;t.bars.start(r)<s;r+=a)yield r}function vn(o,t){let e=1;for(;o*e<t&&e<65536;)e*=2;return e}const ii=72,ke=127,Qt=5;function oi(o){const t=tt(o),e=o.activeTrack===null?null:ie(o);return e?t.filter(s=>s.track.track===e.track):t}function wn(o,t,e){const s=t-2*Qt*e;return Math.max(1,Math.min(ke,Math.round((t-Qt*e-o)/s*ke)))}function xn(o,t,e,s,i){const n=Math.max(1,Math.floor(t.ratio));if(o.fillStyle=i.of.panel,o.fillRect(0,0,t.width,e),o.fillStyle=i.of["line-grid"],o.fillRect(0,Math.round(e/2),t.width,n),s.song){o.fillStyle=i.of["line-beat"];const{bars:a}=s.song;for(const r of oe(t,s.song))o.fillRect(E(t,a.start(r)),0,n,e);Mn(o,t,e,s,i)}o.fillStyle=i.of["panel-line"],o.fillRect(0,0,t.width,n)}function Mn(o,t,e,s,i){const n=new Uint8Array(t.width+1),a=new N,r=[];for(const l of oi(s).reverse()){const h=i.tracks[l.place%i.tracks.length],d=Array.from({length:Rt},()=>new N);An(t,e,s,l,d,a,n),r.unshift(()=>d.forEach((u,g)=>u.fill(o,h.fill[g])))}for(const l of r)l();a.fill(o,i.of.selected)}function An(o,t,e,s,i,n,a){const{notes:r,track:l}=s.track,h=new Map((e.velocities?.get(l)??[]).map(f=>[ze(f[0],f[2]),f[3]])),d=Math.floor(R(o,-Qt*2*o.ratio)),u=e.selection.size>0,g=Wt(r.tick,Math.ceil(R(o,o.width)));for(let f=Wt(r.tick,d);f<g;f++){const m=r.tick[f],y=r.pitch[f],w=E(o,m),M=h.get(ze(m,y))??r.velocity[f];if(u&&e.selection.has(l,m,y)){os(n,o,t,w,M);continue}const _=Math.max(0,Math.min(o.width,w));a[_]>=M||(a[_]=M,os(i[X(M)],o,t,w,M))}}function os(o,t,e,s,i){const{ratio:n}=t,a=Math.round(Qt*n),r=Math.round(e-a-i/ke*(e-2*a)),l=Math.max(1,Math.round(1.5*n));o.push(s,r,l,e-r),o.push(s,r-(a>>1),a,a)}const Sn=400;function En(o){const{idea:t,range:e,loop:s,selection:i,preview:n,focus:a,band:r}=o;return!t&&!e&&!s&&i.size===0&&!n&&!a&&!r}function _n(o,t,e,s){o.clearRect(0,0,t.width,t.height);const i=new Map,{song:n}=e;return n&&(Cn(o,t,e,n,s),e.idea&&(ai(o,t,e.idea.removed,e,s),ni(o,t,e.idea,i,s)),Ln(o,t,e,s),e.preview&&Hn(o,t,e,s),Pn(o,t,e,s),e.band&&Nn(o,t,e.band,s)),i}function ni(o,t,e,s,i){const n=Math.max(1,Math.round(t.ratio));for(const[a,{notes:r}]of e.added){for(let l=s.get(a)??0;l<r.length;l++)Tn(o,t,r[l],i,n);s.set(a,r.length)}}function Tn(o,t,e,s,i){const[n,a,r,l]=B(t,e[0],e[1],e[2]);if(ne(t,n,a,r,l))return;const{idea:h}=s;o.fillStyle=h.fill[X(e[3])],o.fillRect(n,a,r,l),!(r<6*i||l<5*i)&&(o.strokeStyle=h.edge,o.lineWidth=i,o.setLineDash([4*i,2*i]),o.strokeRect(n+i/2,a+i/2,r-i,l-i),o.setLineDash([]))}function ne(o,t,e,s,i){return t>=o.width||t+s<=0||e>=o.height||e+i<=0}function Cn(o,t,e,s,i){const n=Math.max(1,Math.floor(t.ratio));if(e.range){const r=E(t,s.bars.start(e.range[0])),l=E(t,s.bars.start(e.range[1]+1));o.fillStyle=i.of.range,o.globalAlpha=.09,o.fillRect(r,0,l-r,t.height),o.globalAlpha=.8,o.fillRect(r,0,n,t.height),o.fillRect(l-n,0,n,t.height),o.globalAlpha=1}if(e.loop){o.fillStyle=i.of.loop;for(const r of e.loop)o.fillRect(E(t,r),0,n,t.height)}const{idea:a}=e;a&&a.frontier!==1/0&&a.frontier>0&&(o.fillStyle=i.of.idea,o.globalAlpha=.7,o.fillRect(E(t,a.frontier),0,n,t.height),o.globalAlpha=1)}function ai(o,t,e,s,i){const n=[];for(const[r,l]of e)if(!(s.hidden.has(r)&&r!==s.activeTrack))for(const[h,d,u]of l){const g=B(t,h,d,u);ne(t,...g)||n.push(g)}const a=new N;for(const r of n)a.push(...r);o.globalAlpha=.78,a.fill(o,i.of.back),o.globalAlpha=1,n.length>0&&n.length<=Sn&&Rn(o,t,n,i)}function Rn(o,t,e,s){const i=Math.max(1,Math.round(t.ratio)),n=5*i;o.save(),o.beginPath();for(const a of e)o.rect(...a);o.clip(),o.globalAlpha=.6,o.strokeStyle=s.of["text-soft"],o.lineWidth=i,o.beginPath();for(const[a,r,l,h]of e){const d=Math.floor((a+t.left+r+t.top)/n)*n-t.left-t.top;for(let u=d;u<a+l+r+h;u+=n)o.moveTo(u-r,r),o.lineTo(u-r-h,r+h)}o.stroke(),o.restore()}function Ln(o,t,e,s){if(e.selection.size===0||e.preview)return;const i=new N,n={outer:i,fills:new Map,named:[],locked:[]};for(const a of tt(e))zn(t,e,a,s,n);i.fill(o,s.of.selected);for(const[a,r]of n.fills)r.fill(o,a);ri(o,t,e,n.named);for(const[[a,r,l],h]of n.locked)ti(o,t,B(t,a,r,l),h)}function zn(o,t,{track:e,place:s},i,{outer:n,fills:a,named:r,locked:l}){const h=Math.max(1,Math.round(o.ratio)),d=i.tracks[s%i.tracks.length],{notes:u}=e;let g=-1,f=-1;for(const m of u.within(Math.floor(R(o,-4)),Math.ceil(R(o,o.width+4)))){const y=u.tick[m],w=u.pitch[m];if(!t.selection.has(e.track,y,w))continue;const[M,_,x,I]=B(o,y,u.length[m],w);if(ne(o,M-h,_-h,x+2*h,I+2*h)||x<2&&M===g&&_===f)continue;if([g,f]=[M,_],x<4*h||I<4*h){n.push(M,_,Math.max(x,1),I);continue}n.push(M-h,_-h,x+2*h,I+2*h);const ct=d.fill[X(u.velocity[m])];let q=a.get(ct);q||a.set(ct,q=new N),q.push(M+h,_+h,x-2*h,I-2*h);const K=U(u,m),ht=d.text[X(K[3])];!e.drum&&Te(o,x)&&r.push([K,ht]),t.locks.has(e.track,y,w)&&l.push([K,ht])}}function ri(o,t,e,s){if(s.length===0)return;ei(o,t);const i=Lt(e.song?.keys??[],0)?.fifths??0;for(const[n,a]of s)si(o,t,n,i,a)}function Hn(o,t,e,s){const{hide:i,add:n}=e.preview;ai(o,t,i,e,s);const a=new N,r=new Map((e.song?.tracks??[]).map((u,g)=>[u.track,g])),l=Math.max(1,Math.round(t.ratio)),h=[],d=[];for(const[u,g]of n){const f=s.tracks[(r.get(u)??r.size)%s.tracks.length],m=new N;for(const y of g){const[w,M,_,x]=B(t,y[0],y[1],y[2]);if(!ne(t,w,M,_,x)){if(Te(t,_)&&d.push([y,f.text[f.text.length-1]]),_<4*l||x<4*l){a.push(w,M,_,x);continue}a.push(w-l,M-l,_+2*l,x+2*l),m.push(w+l,M+l,_-2*l,x-2*l)}}h.push([f.plain,m])}a.fill(o,s.of.selected);for(const[u,g]of h)g.fill(o,u);ri(o,t,e,d)}function Pn(o,t,e,s){const{focus:i,song:n}=e;if(!i||!n||!e.walking)return;const a=n.track(i.track)?.notes,r=a?.find(i.tick,i.pitch)??-1;if(!a||r<0||!Ct(e).some(w=>w.track.track===i.track))return;const[l,h,d]=U(a,r),[u,g,f,m]=B(t,l,h,d),y=Math.max(1,Math.round(t.ratio));o.strokeStyle=s.of.focus,o.lineWidth=2*y,o.strokeRect(u-3*y,g-3*y,f+6*y,m+6*y)}function Nn(o,t,e,s){const i=E(t,e.from),n=F(t,e.high),a=E(t,e.to)-i,r=F(t,e.low)+t.keyHeight-n,l=Math.max(1,Math.round(t.ratio));o.fillStyle=s.of.focus,o.globalAlpha=.14,o.fillRect(i,n,a,r),o.globalAlpha=1,o.strokeStyle=s.of.focus,o.lineWidth=l,o.strokeRect(i+l/2,n+l/2,a-l,r-l)}const ye=34,li=56,vt=6,On=34,In=46,Dn=26,Un=.62,Bn=10;function Yt(o,t,e=400){return`${e} ${t*o.ratio}px system-ui, sans-serif`}function Vn(o,t,e,s,i){const{ratio:n}=t,a=Math.max(1,Math.floor(n));o.fillStyle=i.of.panel,o.fillRect(0,0,t.width,e);const{song:r}=s;if(r){if(s.range){const l=E(t,r.bars.start(s.range[0])),h=E(t,r.bars.start(s.range[1]+1));o.fillStyle=i.of.range,o.globalAlpha=.28,o.fillRect(l,vt*n,h-l,e),o.globalAlpha=1,o.fillRect(l,e-3*a,h-l,3*a),o.fillRect(l,vt*n,2*a,e),o.fillRect(h-2*a,vt*n,2*a,e)}s.loop&&Kn(o,t,s.loop,i),Wn(o,t,e,r,i)}o.fillStyle=i.of["panel-line"],o.fillRect(0,e-a,t.width,a)}function Kn(o,t,[e,s],i){const n=E(t,e),a=E(t,s),r=vt*t.ratio;o.fillStyle=i.of.loop,o.fillRect(n,0,a-n,r-t.ratio),o.beginPath();for(const[l,h]of[[n,1],[a,-1]])o.moveTo(l,0),o.lineTo(l+h*r*1.2,0),o.lineTo(l,r*2);o.fill()}function Wn(o,t,e,s,i){const{ratio:n}=t,a=Math.max(1,Math.floor(n)),r=e-10*n;o.textBaseline="alphabetic",o.textAlign="left",o.font=Yt(t,12,600);const l=[...oe(t,s,On)],h=[];l.forEach((d,u)=>{const g=E(t,s.bars.start(d));o.fillStyle=i.of["line-bar"],o.fillRect(g,vt*n+4*n,a,e),o.fillStyle=i.of[d>s.bars.count?"text-soft":"text"],o.fillText(String(d),g+5*n,r);const f=s.bars.meter(d),m=d>1?s.bars.meter(d-1):null;if(m&&m[0]===f[0]&&m[1]===f[1])return;const y=g+9*n+o.measureText(String(d)).width,w=E(t,s.bars.start(l[u+1]??d+1));y+Dn*n<w&&h.push([`${f[0]}/${f[1]}`,y])}),o.font=Yt(t,10),o.fillStyle=i.of["text-soft"];for(const[d,u]of h)o.fillText(d,u,r);Fn(o,t,e,s,i)}function Fn(o,t,e,s,i){const{ratio:n}=t,a=R(t,t.width),r=Math.max(1,Math.floor(n)),l=new N;for(const h of oe(t,s)){const d=s.ticksPerQuarter*4/(s.bars.meter(h)[1]||4),u=d*t.tickWidth;if(u<9*n)continue;const g=s.bars.start(h+1);for(let f=s.bars.start(h)+d,m=2;f<Math.min(g,a);f+=d,m++){const y=E(t,f);l.push(y,e-6*n,r,6*n),u>=In*n&&o.fillText(`${h}.${m}`,y+4*n,e-10*n)}}l.fill(o,i.of["line-bar"])}function qn(o,t,e,s,i){if(ie(s)?.drum){jn(o,t,e,s,i);return}const n=Math.max(1,Math.floor(t.ratio)),a=O(t,0),r=O(t,t.height-1);o.fillStyle=i.of["key-white"],o.fillRect(0,0,e,t.height);for(let l=r;l<=a;l++){const h=F(t,l);s.pressed.has(l)&&!yt(l)&&(o.fillStyle=i.of["key-down"],o.fillRect(0,h,e,t.keyHeight)),o.fillStyle=i.of["panel-line"],(l%12===0||l%12===5)&&o.fillRect(0,h+t.keyHeight-n,e,n),yt(l)&&o.fillRect(0,h+Math.floor(t.keyHeight/2),e,n)}for(let l=r;l<=a;l++)yt(l)&&(o.fillStyle=i.of[s.pressed.has(l)?"key-down":"key-black"],o.fillRect(0,F(t,l),Math.round(e*Un),t.keyHeight));Gn(o,t,e,s,i),o.fillStyle=i.of["panel-line"],o.fillRect(e-n,0,n,t.height)}function jn(o,t,e,s,i){const n=Math.max(1,Math.floor(t.ratio));o.fillStyle=i.of.panel,o.fillRect(0,0,e,t.height),o.font=Yt(t,Math.min(10,t.keyHeight/t.ratio-2)),o.textBaseline="middle",o.textAlign="left";for(let a=O(t,t.height-1);a<=O(t,0);a++){const r=F(t,a);s.pressed.has(a)&&(o.fillStyle=i.of["key-down"],o.fillRect(0,r,e,t.keyHeight)),!(t.keyHeight<Bn*t.ratio)&&(o.fillStyle=i.of["panel-line"],o.fillRect(0,r+t.keyHeight-n,e,n),o.fillStyle=i.of[s.pressed.has(a)?"key-text":"text-soft"],o.fillText(js(a),3*t.ratio,r+t.keyHeight/2+.5,e-6*t.ratio))}o.fillStyle=i.of["panel-line"],o.fillRect(e-n,0,n,t.height)}function Gn(o,t,e,s,i){const n=Lt(s.song?.keys??[],R(t,0))?.fifths??0,a=t.keyHeight>=15*t.ratio,r=Math.min(11,Math.max(9,t.keyHeight/t.ratio));o.textBaseline="middle",o.textAlign="right";for(let l=O(t,t.height-1);l<=O(t,0);l++){const h=l%12===0;yt(l)||!h&&!a||h&&t.keyHeight*12<14*t.ratio||(o.font=Yt(t,r,h?600:400),o.fillStyle=i.of["key-text"],o.globalAlpha=h?1:.65,o.fillText(at(l,n),e-5*t.ratio,F(t,l)+t.keyHeight/2+.5))}o.globalAlpha=1}const Qn=`
<div class="roll" tabindex="0" role="application" aria-roledescription="${S.roll}" aria-label="${S.notes}"
     aria-activedescendant="note">
  <div class="corner"></div>
  <div class="top"><canvas class="ruler"></canvas><div class="head"></div></div>
  <canvas class="piano"></canvas>
  <div class="port">
    <canvas class="notes"></canvas><canvas class="overlay"></canvas>
    <div class="cursor"></div>
    <div class="scroller"><div class="space"></div></div>
  </div>
  <div class="corner low">${S.velocity}</div>
  <canvas class="lane"></canvas>
  <div id="note" class="spoken" role="img" aria-label="${S.noNote}"></div>
  <div class="probe"></div>
</div>`,Yn=`
:host { display: block; position: relative; min-width: 0; min-height: 120px; contain: strict; height: 100%; }
:host([hidden]) { display: none; }
.roll {
  position: absolute; inset: 0; display: grid; overflow: hidden; outline: none;
  grid-template: ${ye}px minmax(0, 1fr) ${ii}px / ${li}px minmax(0, 1fr);
  background: var(--roll-panel); color: var(--roll-text-soft); font: 10px system-ui, sans-serif;
  user-select: none; -webkit-user-select: none; touch-action: none;
}
:host([data-low]) .roll { grid-template-rows: ${ye}px minmax(0, 1fr) 0; }
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
`,ci=512,Xn=6,Zn=.6;class Jn{constructor(){this.tiles=new Map,this.free=[],this.job=null,this.still=null,this.shown=[],this.view=null,this.frame=0,this.painted=0}show(t){const e=this.shown;if(this.shown=t,!(e.length===t.length&&e.every((n,a)=>ea(n,t[a]))))return this.allStale(),[];const i=[];return e.forEach((n,a)=>{const r=t[a].track;if(n.track.notes!==r.notes)for(const l of[He(n.track.notes,r.notes),He(r.notes,n.track.notes)]){for(const[h,d,u]of l)this.touch(h,h+d,u);i.push(...l)}}),i}allStale(){this.leave();for(const t of this.tiles.values())t.stale=!0}touch(t,e,s){if(!this.view)return;const i=st(this.view),n=Math.floor((t*this.view.tickWidth-1)/i.width),a=Math.floor((e*this.view.tickWidth+1)/i.width),r=Math.floor((z-1-s)/i.rows);this.leave();for(const l of this.tiles.values())l.row===r&&l.column>=n&&l.column<=a&&(l.stale=!0)}paint(t,e,s,i){if(e.width===0||e.height===0)return!0;const n=this.view!==null&&!ta(this.view,e),a=performance.now()+(n?i/2:i);n&&this.keepStill(this.view,e),this.view=e,this.frame++;const r=Pt(e),l=r.filter(f=>this.tile(f)?.stale??!0),h=n?l.filter(f=>!this.isCovered(f,e)):l;let d=0;for(;d<h.length&&this.work(h[d],e,s,a);)d++;const u=r.filter(f=>!this.tile(f));u.length&&this.still&&this.stretch(t,e,this.still,u),this.copy(t,e,r);const g=d===l.length;return g&&(this.still=null),this.drop(),g}drawnNotes(t){const e=Pt(t),s=Math.min(...e.map(n=>n.column));let i=0;for(const n of e){const a=this.tile(n)?.drawn;a&&(i+=n.column===s?a.notes:a.begun)}return i}tile({column:t,row:e}){return this.tiles.get(ns({column:t,row:e}))}work(t,e,s,i){const{job:n}=this;(!n||n.place.column!==t.column||n.place.row!==t.row)&&this.begin(t,e,s);const{sheet:a,steps:r}=this.job;for(;performance.now()<i;){const l=r.next();if(!l.done)continue;const h=this.tile(t);return h&&this.free.push(h.sheet),this.tiles.set(ns(t),{...t,sheet:a,drawn:l.value,stale:!1,used:this.frame}),this.job=null,this.painted++,!0}return!1}begin(t,e,{colours:s,locks:i,fifths:n}){this.leave();const{width:a,height:r}=st(e),l=this.free.pop()??as(),{canvas:h,context:d}=l;h.width===a&&h.height===r?d.clearRect(0,0,a,r):[h.width,h.height]=[a,r];const u={...e,left:t.column*a,top:t.row*r,width:a,height:r};this.job={place:t,sheet:l,steps:hn(d,u,this.shown,s,i,n)}}leave(){this.job&&this.free.push(this.job.sheet),this.job=null}isCovered(t,e){if(!this.still)return!1;const s=st(e),[i,n,a,r]=rs(this.still.view,e),l=Math.max(0,t.column*s.width-e.left),h=Math.max(0,t.row*s.height-e.top),d=Math.min(e.width,(t.column+1)*s.width-e.left),u=Math.min(e.height,(t.row+1)*s.height-e.top);return l>=i-1&&h>=n-1&&d<=i+a+1&&u<=n+r+1}copy(t,e,s){const i=st(e);for(const n of s){const a=this.tile(n);a&&(a.used=this.frame,t.drawImage(a.sheet.canvas,n.column*i.width-e.left,n.row*i.height-e.top))}}stretch(t,e,s,i){const n=st(e);t.save(),t.beginPath();for(const a of i)t.rect(a.column*n.width-e.left,a.row*n.height-e.top,n.width,n.height);t.clip(),t.imageSmoothingEnabled=!1,t.drawImage(s.canvas,...rs(s.view,e)),t.restore()}keepStill(t,e){const{still:s}=this;if((s?t.tickWidth/s.view.tickWidth*(t.keyHeight/s.view.keyHeight):0)<Zn){const n=as();[n.canvas.width,n.canvas.height]=[t.width,t.height];const a=Pt(t);s&&this.stretch(n.context,t,s,a.filter(r=>!this.tile(r))),this.copy(n.context,t,a),this.still={canvas:n.canvas,view:t}}this.leave();for(const n of this.tiles.values())this.free.push(n.sheet);this.free.length=Math.min(this.free.length,ls(e)),this.tiles.clear()}drop(){const t=ls(this.view),e=Pt(this.view).length+t;if(this.tiles.size<=e)return;const s=[...this.tiles].sort((i,n)=>i[1].used-n[1].used).slice(0,this.tiles.size-e);for(const[i,n]of s)this.tiles.delete(i),this.free.length<t&&this.free.push(n.sheet)}}function ns({column:o,row:t}){return`${o},${t}`}function as(){const o=document.createElement("canvas");return{canvas:o,context:o.getContext("2d")}}function rs(o,t){const e=t.tickWidth/o.tickWidth,s=t.keyHeight/o.keyHeight;return[o.left*e-t.left,o.top*s-t.top,o.width*e,o.height*s]}function ls(o){return Math.ceil(Xn*1e6/(ci*o.ratio)**2)}function st(o){const t=Math.round(ci*o.ratio),e=Math.max(1,Math.floor(t/o.keyHeight));return{width:t,height:e*o.keyHeight,rows:e}}function Pt(o){const t=st(o),e=[],s=Math.floor((Math.min(z*o.keyHeight,o.top+o.height)-1)/t.height);for(let i=Math.floor(o.top/t.height);i<=s;i++){const n=Math.floor((o.left+o.width-1)/t.width);for(let a=Math.floor(o.left/t.width);a<=n;a++)e.push({column:a,row:i})}return e}function ta(o,t){return o.tickWidth===t.tickWidth&&o.keyHeight===t.keyHeight&&o.ratio===t.ratio}function ea(o,t){return o.track.track===t.track.track&&o.place===t.place&&o.ghost===t.ghost&&o.track.drum===t.track.drum}const v={grid:1,notes:2,overlay:4,ruler:8,piano:16,lane:32,cursor:64,grown:128,all:127},sa=6,ia=9,oa=230,na=500,aa=.7,ra=.08;let la=class{constructor(t,e){this.root=t,this.state=e,this.tiles=new Jn,this.record={milliseconds:[],frames:0},this.view=ss,this.colours=null,this.ratio=null,this.ratioChanged=()=>{this.watchRatio(),this.resize()},this.dirty=0,this.scheduled=0,this.mark=new Map,this.waiting=[],this.placed=!1,this.clear=!1,this.removed=-1,this.frontier=0;const s=new CSSStyleSheet;s.replaceSync(Yn),t.adoptedStyleSheets=[s];const i=n=>t.querySelector(n);this.port=i(".port"),this.ruler=i(".ruler"),this.piano=i(".piano"),this.lane=i(".lane"),this.scroller=i(".scroller"),this.space=i(".space"),this.notes=i(".notes"),this.overlay=i(".overlay"),this.probe=i(".probe"),this.cursors=[i(".cursor"),i(".head")],this.scroller.addEventListener("scroll",()=>this.scrolled(),{passive:!0}),this.sizes=new ResizeObserver(()=>this.resize())}connect(){qo(),this.watchRatio(),this.sizes.observe(this.scroller),this.sizes.observe(this.root.host),this.recolour(),this.resize()}disconnect(){this.ratio?.removeEventListener("change",this.ratioChanged),this.sizes.disconnect(),cancelAnimationFrame(this.scheduled),this.scheduled=0,this.settle()}recolour(){this.colours=null,this.tiles.allStale(),this.invalidate(v.all)}invalidate(t){this.dirty|=t,!this.scheduled&&this.root.host.isConnected&&(this.scheduled=requestAnimationFrame(()=>this.draw()))}idle(){return this.scheduled?new Promise(t=>this.waiting.push(t)):Promise.resolve()}grown(){const{idea:t}=this.state,e=[...this.mark].every(([n,a])=>(t?.added.get(n)?.notes.length??0)>=a),s=t?[...t.removed.values()].reduce((n,a)=>n+a.length,0):0,i=e&&s===this.removed&&t?.frontier===this.frontier;this.removed=s,this.frontier=t?.frontier??0,this.invalidate(i?v.grown:v.overlay)}showSong(t){const{song:e}=this.state,s=e?.ticksPerQuarter??ss.ticksPerQuarter,i=this.view.left*this.view.ticksPerQuarter/s,n=this.showTracks();this.setView({...this.view,ticksPerQuarter:s,left:i,end:this.scrollEnd()}),this.invalidate(v.all),!this.placed&&e&&this.view.height>0?this.frame():t&&this.revealChange(n)}showTracks(){const t=this.tiles.show(Ct(this.state));return this.invalidate(v.notes|v.overlay|v.lane|v.piano),t}revealChange(t){const[e]=t;if(!e||t.length>na)return;const{view:s}=this;t.some(([n,a,r])=>{const[l,h,d,u]=B(s,n,a,r);return l<s.width&&l+d>0&&h<s.height&&h+u>0})||this.reveal(e[0],e[2])}setView(t){const e=this.view,s=$e(e,t);this.view=s;const{ratio:i}=s;this.space.style.width=`${Math.ceil(s.end*s.tickWidth)/i}px`,this.space.style.height=`${z*s.keyHeight/i}px`,Math.abs(this.scroller.scrollLeft-s.left/i)>.5&&(this.scroller.scrollLeft=s.left/i),Math.abs(this.scroller.scrollTop-s.top/i)>.5&&(this.scroller.scrollTop=s.top/i);const n=s.left!==e.left||s.tickWidth!==e.tickWidth||s.width!==e.width,a=s.top!==e.top||s.keyHeight!==e.keyHeight||s.height!==e.height;n&&this.invalidate(v.all&-17),a&&this.invalidate(v.grid|v.notes|v.overlay|v.piano)}scrollBy(t,e){this.setView({left:this.view.left+t,top:this.view.top+e})}reveal(t,e){const{view:s}=this,i=E(s,t),n={};if((i<0||i>s.width*.95)&&(n.left=s.left+i-s.width*.2),e!==void 0){const a=(z-1-e)*s.keyHeight-s.top;(a<0||a+s.keyHeight>s.height)&&(n.top=s.top+a-s.height/2)}(n.left!==void 0||n.top!==void 0)&&this.setView(n)}follow(t){const e=E(this.view,t);(e<0||e>this.view.width*aa)&&this.setView({left:this.view.left+e-this.view.width*ra})}moveCursor(){const t=E(this.view,this.state.cursor)/this.view.ratio;for(const e of this.cursors)e.style.transform=`translateX(${t}px)`}fit(){const{song:t}=this.state;if(!t||this.view.width===0)return;const e=this.view.width/this.view.ratio/Math.max(t.end,1)*t.ticksPerQuarter,[s,i]=this.reach(),n=this.view.height/this.view.ratio/(i-s+5);this.setView({quarter:e,key:n,left:0,end:this.scrollEnd()});const a=(z-1-(s+i)/2+.5)*this.view.keyHeight;this.setView({top:a-this.view.height/2})}scrollEnd(){const{song:t}=this.state;if(!t)return 0;const e=Math.max(4,Math.min(16,t.bars.count));return t.bars.start(t.bars.at(Math.max(0,t.end-1))+1+e)}reach(){let t=z,e=0;for(const{track:s}of Ct(this.state))for(let i=0;i<s.notes.count;i++)t=Math.min(t,s.notes.pitch[i]),e=Math.max(e,s.notes.pitch[i]);return t>e?[48,72]:[t,e]}frame(){if(this.placed=this.state.song!==null&&this.view.height>0,!this.placed)return;const[t,e]=this.reach(),s=Math.min(be,Math.max(ia,this.view.height/this.view.ratio/(e-t+3)));this.setView({key:s,left:0});const i=(z-.5-(t+e)/2)*this.view.keyHeight;this.setView({top:i-this.view.height/2})}scrolled(){const{view:t}=this,e=this.scroller.scrollLeft*t.ratio,s=this.scroller.scrollTop*t.ratio;(Math.abs(e-t.left)>t.ratio||Math.abs(s-t.top)>t.ratio)&&this.setView({left:e,top:s})}watchRatio(){this.ratio?.removeEventListener("change",this.ratioChanged),this.ratio=matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`),this.ratio.addEventListener("change",this.ratioChanged)}resize(){const t=window.devicePixelRatio||1,e=this.root.host.clientHeight>=oa;this.root.host.toggleAttribute("data-low",!e);const s=Math.round(this.scroller.clientWidth*t),i=Math.round(this.scroller.clientHeight*t);if(s===0||i===0)return;const n=t/this.view.ratio;this.setView({ratio:t,width:s,height:i,left:this.view.left*n,top:this.view.top*n});for(const a of[this.notes,this.overlay])Nt(a,s,i,t);Nt(this.ruler,s,Math.round(ye*t),t),Nt(this.piano,Math.round(li*t),i,t),Nt(this.lane,s,e?Math.round(ii*t):0,t),n!==1&&this.tiles.allStale(),!this.placed&&this.state.song&&this.frame(),this.invalidate(v.all),cancelAnimationFrame(this.scheduled),this.draw()}draw(){const t=performance.now();this.scheduled=0;const{dirty:e,view:s,state:i}=this;this.dirty=0;const n=this.colours??=jo(this.probe);if(e&(v.grid|v.notes)){const a=this.notes.getContext("2d",{alpha:!1});bn(a,s,i,n);const r=Lt(i.song?.keys??[],0)?.fifths??0,l={colours:n,locks:i.locks,fifths:r};this.tiles.paint(a,s,l,sa)||this.invalidate(v.notes)}e&v.overlay?this.drawOverlay(n):e&v.grown&&i.idea&&ni(ft(this.overlay),s,i.idea,this.mark,n),e&v.ruler&&Vn(ft(this.ruler),s,this.ruler.height,i,n),e&v.piano&&qn(ft(this.piano),s,this.piano.width,i,n),e&v.lane&&this.lane.height>0&&xn(ft(this.lane),s,this.lane.height,i,n),e&v.cursor&&this.moveCursor(),this.record.frames++,this.record.milliseconds.push(performance.now()-t),this.record.milliseconds.length>600&&this.record.milliseconds.shift(),this.scheduled||this.settle()}drawOverlay(t){const e=En(this.state);(!e||!this.clear)&&(this.mark=_n(ft(this.overlay),this.view,this.state,t)),this.clear=e}settle(){const{waiting:t}=this;this.waiting=[];for(const e of t)e()}};function ft(o){return o.getContext("2d")}function Nt(o,t,e,s){o.width!==t&&(o.width=t),o.height!==e&&(o.height=e),o.style.width=`${t/s}px`,o.style.height=`${e/s}px`}const ca=96;class ha{constructor(t,e,s){this.state=t,this.stage=e,this.target=s,this.lastLength=0,this.lastVelocity=ca,this.oncommit=null,this.committing=!1}emit(t,e){this.target.dispatchEvent(new CustomEvent(t,{detail:e,bubbles:!0,composed:!0}))}showSelection(t){this.state.selection=t instanceof Kt?t:new Kt(t),this.stage.invalidate(v.overlay|v.lane)}select(t){this.showSelection(t),this.emit("select",{selection:[...this.state.selection.refs]})}selected(){return this.state.song?Es(this.state.song,this.state.selection.refs):new Map}free(t){return xi(t,this.state.locks)}get editable(){return this.state.song!==null&&!this.state.readonly}commit(t,e,s){this.preview(null,null);const{song:i,locks:n}=this.state;if(!i||this.state.readonly)return!1;const{operations:a,placed:r}=Mi(i,t,n);if(a.length===0)return!1;const l=this.state.selection.refs.filter(({track:u,tick:g,pitch:f})=>n.has(u,g,f)),h=s?[...s]:[...l,...r];this.committing=!0,this.emit("edit",{operations:a,selection:h,label:e}),this.committing=!1;const d=this.state.song;return d&&d!==i&&this.select(wt(d,h)),this.oncommit?.(),!0}forget(){const{state:t}=this;if(this.committing)return;const e=t.song?wt(t.song,t.selection.refs):[];t.focus&&(!t.song||wt(t.song,[t.focus]).length===0)&&(t.focus=null),e.length!==t.selection.size&&(this.showSelection(e),queueMicrotask(()=>this.emit("select",{selection:[...t.selection.refs]})))}preview(t,e){!t&&!e&&!this.state.preview||(this.state.preview=t||e?{hide:t??new Map,add:e??new Map}:null,this.stage.invalidate(v.overlay))}sound(t,e,s){this.press([e]),this.emit("sound",{track:t,pitch:e,velocity:s})}press(t){t.length===0&&this.state.pressed.size===0||(this.state.pressed=new Set(t),this.stage.invalidate(v.piano))}get step(){return this.state.grid>0?this.state.grid:(this.state.song?.ticksPerQuarter??480)/4}get drawnLength(){const{grid:t,song:e}=this.state;return this.lastLength||t||(e?.ticksPerQuarter??480)}}function wt(o,t){return Ft(Es(o,t))}const he=12,cs=8;class da{constructor(t,e){this.host=t,this.spoken=e,this.clipboard=new Map,t.oncommit=()=>this.keepFocus()}run(t){const{host:e}=this;if(!e.state.song)return;const{step:s}=e;switch(t){case"selectAll":return e.select(Ft(this.all()));case"selectNone":return this.selectNone();case"delete":return this.remove(S.remove);case"copy":return this.copy();case"cut":return this.cut();case"paste":return this.paste();case"duplicate":return this.duplicate();case"quantise":return this.quantise();case"up":return this.move(0,1);case"down":return this.move(0,-1);case"octaveUp":return this.move(0,he);case"octaveDown":return this.move(0,-he);case"left":return this.move(-s,0);case"right":return this.move(s,0);case"longer":return this.change(S.stretch,i=>hs(i,i[1]+s));case"shorter":return this.change(S.shorten,i=>hs(i,i[1]-(i[1]>s?s:0)));case"louder":return this.change(S.louder,i=>fe(i,i[3]+cs));case"softer":return this.change(S.softer,i=>fe(i,i[3]-cs));case"nextNote":return this.walk(!0);case"previousNote":return this.walk(!1)}}walk(t){const{state:e}=this.host;this.focus(Oo(e,e.focus,e.cursor,t)??e.focus)}climb(t){const{state:e}=this.host;e.focus?this.focus(Io(e,e.focus,t)??e.focus):this.walk(!0)}focus(t){const{host:e}=this;if(e.state.focus=t,e.state.walking=t!==null,e.stage.invalidate(v.overlay),!t)return;e.stage.reveal(t.tick,t.pitch);const s=e.state.song?.track(t.track)?.notes,i=s?.velocity[s.find(t.tick,t.pitch)];i!==void 0&&e.emit("sound",{track:t.track,pitch:t.pitch,velocity:i}),this.describe()}describe(){const{state:t}=this.host,e=t.focus?Do(t,t.focus):"";this.spoken.setAttribute("aria-label",e||S.noNote),e&&this.host.emit("describe",{text:e})}toggleFocused(){const{host:t}=this,{focus:e,selection:s}=t.state;if(!e)return;const i=s.has(e.track,e.tick,e.pitch);t.select(i?s.without([e]):s.with([e])),this.describe()}keepFocus(){const{state:t}=this.host;!t.focus||!t.song||(wt(t.song,[t.focus]).length===0&&(t.focus=t.selection.refs[0]??null),this.describe())}selectNone(){const{host:t}=this;t.state.selection.size?t.select([]):t.state.walking?this.focus(null):t.state.range&&(t.state.range=null,t.stage.invalidate(v.overlay|v.ruler),t.emit("range",{range:null}))}all(){const{state:t}=this.host,e=t.activeTrack===null?null:ie(t),s=new Map;for(const{track:i}of tt(t))e&&i.track!==e.track||s.set(i.track,Array.from({length:i.notes.count},(n,a)=>U(i.notes,a)));return s}change(t,e){const{host:s}=this;s.commit(V(s.free(s.selected()),e),t)}move(t,e){const{host:s}=this,i=s.free(s.selected()),[n,a]=_s([...i.values()].flat(),t,e);if(n===0&&a===0||Math.abs(e)===he&&a!==e)return;const r=V(i,d=>bt(d,n,a));if(!s.commit(r,S.move))return;const l=[...r][0],h=l?.[1].add[0];!l||!h||(a!==0&&s.emit("sound",{track:l[0],pitch:h[2],velocity:h[3]}),s.stage.reveal(h[0],h[2]))}remove(t){const{host:e}=this,s=e.selected(),i=e.free(s),n=Ft(s).filter(({track:a,tick:r,pitch:l})=>e.state.locks.has(a,r,l));e.commit(V(i,()=>null),t,n)}copy(){const t=this.host.selected();t.size!==0&&(this.clipboard=t,this.host.emit("copied",{notes:[...t.values()].flat()}))}cut(){this.copy(),this.remove(S.cut)}paste(){const{host:t}=this,{song:e,activeTrack:s,cursor:i}=t.state;if(!e||this.clipboard.size===0)return;const n=ds(this.clipboard),a=Math.round(i)-n,r=new Map;for(const[l,h]of this.clipboard){const d=this.clipboard.size===1&&s!==null?s:l,u=e.track(d)??se(t.state);if(!u)continue;const g=h.map(f=>bt(f,a,0));r.set(u.track,{remove:[],add:[...r.get(u.track)?.add??[],...g],into:u})}t.commit(r,S.paste)&&t.stage.reveal(n+a)}duplicate(){const{host:t}=this,{song:e}=t.state,s=t.selected();if(!e||s.size===0)return;const i=ds(s),n=Math.max(...[...s.values()].flat().map(l=>l[0]+l[1])),a=e.ticksPerQuarter*4/(e.bars.meter(e.bars.at(i))[1]||4),r=Ts(n-1,a,e.bars)-Math.floor(i/a)*a;t.commit(V(s,l=>bt(l,Math.max(1,r),0),!0),S.duplicate)}quantise(){const{host:t}=this,e=t.state.song?.bars;if(!e)return;const s=t.selected(),i=t.free(s.size?s:this.all()),n=V(i,a=>Ai(a,t.step,e));t.commit(n,S.quantise,s.size?void 0:[])}}function hs(o,t){return[o[0],Math.max(1,t),o[2],o[3]]}function ds(o){return[...o.values()].flat().reduce((t,e)=>Math.min(t,e[0]),1/0)}const ua=8,pa=24;function Xt(o,t,e,s,i){const n=i?pa/2*t.ratio:0;let a=null,r=1/0;for(const{track:l}of tt(o)){const{notes:h}=l,d=O(t,s-n),u=O(t,s+n);for(const g of h.within(Math.floor(R(t,e-n-2)),Math.ceil(R(t,e+n+2)))){const f=h.pitch[g];if(f>d||f<u)continue;const m=U(h,g),y=B(t,m[0],m[1],m[2]),w=ga(y,e,s,n,t.keyHeight);if(w===1/0)continue;const M=o.selection.has(l.track,m[0],f)?0:1e12,_=l.track===o.activeTrack?0:1e11,x=w*1e7+M+_+m[1];x>=r||(r=x,a={track:l.track,note:m,edge:e>=y[0]+y[2]-fa(y[2],t.ratio,i)})}}return a}function fa(o,t,e){return Math.min(o/3,(e?2:1)*ua*t)}function ga(o,t,e,s,i){const[n,a,r]=o,l=Math.max(n-t,t-(n+Math.max(r,1)),0),h=Math.max(a-e,e-(a+i),0),d=Math.max(0,s-r/2),u=Math.max(0,s-i/2);return l<=d&&h<=u?Math.max(l,h):1/0}function rt(o,t){return t.alt?0:o.state.grid}function Ce(o){let t=0;for(const e of o.values())t+=e.length;return t}class us{constructor(t,e,s){this.host=t,this.hit=e,this.start=s,this.scrolls=!0,this.step=[0,0];const{state:i}=t,n=Zt(e);this.before=i.selection,this.was=i.selection.has(n.track,n.tick,n.pitch),this.was||t.showSelection(s.shift||s.copy?i.selection.with([n]):[n]),this.free=t.editable?t.free(t.selected()):new Map,this.anchor=e.note,this.sounded=e.note[2],t.sound(e.track,e.note[2],e.note[3])}move(t){const{host:e,anchor:s,start:i}=this,n=e.state.song?.bars;if(!n||this.free.size===0)return;const a=rt(e,t),l=Math.abs(t.x-i.x)<3*e.stage.view.ratio?0:$t(s[0]+t.tick-i.tick,a,n)-s[0];this.step=_s([...this.free.values()].flat(),l,t.pitch-i.pitch);const h=V(this.free,u=>bt(u,...this.step));e.preview(t.copy?null:this.free,new Map([...h].map(([u,g])=>[u,g.add])));const d=s[2]+this.step[1];d!==this.sounded&&e.sound(this.hit.track,this.sounded=d,s[3])}end(t,e){const{host:s}=this;if(s.press([]),!e){this.click(t);return}if(this.step[0]===0&&this.step[1]===0){s.preview(null,null),s.select(s.state.selection);return}const i=V(this.free,n=>bt(n,...this.step),t.copy);s.commit(i,S.edited(t.copy?S.copy:S.move,Ce(this.free)))}cancel(){this.host.press([]),this.host.preview(null,null),this.host.showSelection(this.before)}click(t){const{host:e}=this,s=Zt(this.hit);e.preview(null,null),e.lastLength=this.hit.note[1],e.lastVelocity=this.hit.note[3],e.state.focus=s,this.was&&(t.shift||t.copy)?e.select(e.state.selection.without([s])):this.was?e.select([s]):e.select(e.state.selection)}}class ma{constructor(t,e,s){this.host=t,this.hit=e,this.start=s,this.scrolls=!0,this.more=0;const i=Zt(e);this.before=t.state.selection,this.before.has(i.track,i.tick,i.pitch)||t.showSelection([i]),this.free=t.editable?t.free(t.selected()):new Map,t.sound(e.track,e.note[2],e.note[3])}move(t){const{host:e}=this,s=e.state.song?.bars;if(!s||this.free.size===0)return;const[i,n]=this.hit.note,a=$t(i+n+t.tick-this.start.tick,rt(e,t),s);this.more=Math.max(a,i+this.shortest(t))-i-n;const r=V(this.free,l=>this.stretched(l,t));e.preview(this.free,new Map([...r].map(([l,{add:h}])=>[l,h])))}end(t,e){const{host:s}=this;if(s.press([]),!e||this.more===0){s.preview(null,null),s.select(e?s.state.selection:[Zt(this.hit)]);return}s.lastLength=this.stretched(this.hit.note,t)[1],s.commit(V(this.free,i=>this.stretched(i,t)),S.edited(S.stretch,Ce(this.free)))}cancel(){this.host.press([]),this.host.preview(null,null),this.host.showSelection(this.before)}shortest(t){return Math.max(1,Math.min(rt(this.host,t)||1,this.hit.note[1]))}stretched(t,e){const s=Math.min(t[1],this.shortest(e));return[t[0],Math.max(s,t[1]+this.more),t[2],t[3]]}}class ba{constructor(t,e){this.host=t,this.start=e,this.scrolls=!0,this.before=t.state.selection}move(t){const{host:e,start:s}=this,i={from:Math.max(0,Math.min(s.tick,t.tick)),to:Math.max(s.tick,t.tick),low:Math.min(s.pitch,t.pitch),high:Math.max(s.pitch,t.pitch)};e.state.band=i;const n=t.shift||t.copy?[...this.before.refs]:[];for(const{track:a}of tt(e.state)){const{notes:r}=a;for(const l of r.within(i.from,i.to)){const h=r.pitch[l];h<i.low||h>i.high||n.push({track:a.track,tick:r.tick[l],pitch:h})}}e.showSelection(n)}end(t,e){this.host.state.band=null,this.host.stage.invalidate(v.overlay),e?this.host.select(this.host.state.selection):!t.shift&&!t.copy&&(this.host.state.focus=null,this.host.select([]))}cancel(){this.host.state.band=null,this.host.showSelection(this.before)}}class $a{constructor(t,e){this.host=t,this.scrolls=!0;const{state:s}=t;this.into=t.editable?se(s):null;const i=s.song?Cs(e.tick,rt(t,e),s.song.bars):0;this.note=[i,t.drawnLength,e.pitch,t.lastVelocity],this.into&&(t.sound(this.into.track,e.pitch,t.lastVelocity),this.show())}move(t){const e=this.host.state.song?.bars;if(!e)return;const[s,,i,n]=this.note,a=rt(this.host,t);this.note=[s,Math.max(a||1,Ts(Math.max(t.tick,s),a,e)-s),i,n],this.show()}end(){this.host.press([]),this.into&&(this.host.lastLength=this.note[1],this.host.commit(di(this.into,this.note),S.edited(S.draw,1)))}cancel(){this.host.press([]),this.host.preview(null,null)}show(){this.into&&this.host.preview(null,new Map([[this.into.track,[this.note]]]))}}class ka{constructor(t,e){this.host=t,this.scrolls=!1,this.gone=new Map,this.move(e)}move(t){const{host:e}=this,s=e.editable?Xt(e.state,e.stage.view,t.x,t.y,t.coarse):null;if(!s||e.state.locks.has(s.track,s.note[0],s.note[2]))return;const i=this.gone.get(s.track)??[];i.some(n=>n[0]===s.note[0]&&n[2]===s.note[2])||(this.gone.set(s.track,[...i,s.note]),e.preview(this.gone,null))}end(){const t=this.host.state.selection.without(Ft(this.gone));this.host.commit(V(this.gone,()=>null),S.edited(S.remove,Ce(this.gone)),t.refs)}cancel(){this.host.preview(null,null)}}function ya(o,t){const{state:e,stage:s}=o;if(!o.editable||!e.song)return;const i=Xt(e,s.view,t.x,t.y,t.coarse);if(i){if(e.locks.has(i.track,i.note[0],i.note[2]))return;o.commit(new Map([[i.track,{remove:[i.note],add:[]}]]),S.edited(S.remove,1),[]);return}hi(o,t.tick,t.pitch,rt(o,t))}function hi(o,t,e,s){const{song:i}=o.state,n=se(o.state);if(!i||!n||!o.editable)return;const a=[Cs(t,s,i.bars),o.drawnLength,e,o.lastVelocity];o.emit("sound",{track:n.track,pitch:e,velocity:o.lastVelocity}),o.commit(di(n,a),S.edited(S.draw,1))}function di(o,t){return new Map([[o.track,{remove:[],add:[t],into:o}]])}function Zt(o){return{track:o.track,tick:o.note[0],pitch:o.note[2]}}const va={a:"selectAll",c:"copy",x:"cut",v:"paste",d:"duplicate"},wa={Delete:"delete",Backspace:"delete",q:"quantise","+":"longer","-":"shorter"},xa={ArrowUp:"up",ArrowDown:"down",ArrowLeft:"left",ArrowRight:"right"},Ma={ArrowUp:"octaveUp",ArrowDown:"octaveDown",ArrowLeft:"shorter",ArrowRight:"longer"},Aa={ArrowUp:"louder",ArrowDown:"softer",ArrowLeft:"previousNote",ArrowRight:"nextNote"};class Sa{constructor(t,e,s,i){this.host=t,this.commands=e,this.pointers=s,i.addEventListener("keydown",n=>{i.toggleAttribute("data-pointer",!1),!n.defaultPrevented&&this.handle(n)&&n.preventDefault()}),i.addEventListener("focus",()=>this.commands.describe()),i.addEventListener("blur",()=>i.toggleAttribute("data-pointer",!1))}handle(t){const e=t.key.length===1?t.key.toLowerCase():t.key;return e==="Escape"?this.escape():t.ctrlKey||t.metaKey?t.shiftKey||t.altKey?!1:this.runIf(va[e]):e.startsWith("Arrow")?this.arrow(t,e):t.altKey?!1:e==="Enter"||e===" "?this.choose():e==="i"||e==="Insert"?this.insert():t.shiftKey&&e!=="+"?!1:this.runIf(wa[e])}runIf(t){return!t||!(t==="selectAll")&&t!=="paste"&&t!=="quantise"&&this.host.state.selection.size===0?!1:(this.commands.run(t),!0)}arrow(t,e){if(this.host.state.selection.size>0){const s=t.altKey?Aa:t.shiftKey?Ma:xa;return this.runIf(s[e])}return t.altKey||t.shiftKey?!1:(e==="ArrowLeft"||e==="ArrowRight"?this.commands.walk(e==="ArrowRight"):this.commands.climb(e==="ArrowUp"),!0)}choose(){return this.host.state.walking?(this.commands.toggleFocused(),!0):!1}insert(){const{state:t,stage:e}=this.host;if(!this.host.editable)return!1;const s=127-Math.floor((e.view.top+e.view.height/2)/e.view.keyHeight);hi(this.host,t.cursor,t.focus?.pitch??t.selection.refs[0]?.pitch??s,t.grid);const[i]=t.selection.refs;return i&&this.commands.focus(i),!0}escape(){const{selection:t,walking:e,idea:s}=this.host.state;if(this.pointers.busy)this.pointers.cancel();else{if(s||t.size===0&&!e)return!1;this.commands.run("selectNone")}return!0}}const Ea=6,_a=12,Ta=5,Ca=.5,ps=.94,Ra=40;class La{constructor(t,e){this.host=t,this.start=e,this.scrolls=!0;const{state:s}=t;this.range=s.range,this.loop=s.loop;const i=this.edges(),n=(e.coarse?_a:Ea)*t.stage.view.ratio,a=i!==null&&Math.abs(i[0]-e.x)<=n,r=i!==null&&Math.abs(i[1]-e.x)<=n;this.edge=(a||r)&&!e.shift;const l=s.song?.bars.at(Math.max(0,e.tick))??1;this.fixed=this.edge&&this.range?this.range[r?0:1]:l}move(t){const{host:e}=this,s=e.state.song?.bars;if(s){if(this.start.shift){const i=t.alt?0:e.state.grid||e.state.song?.ticksPerQuarter||0,n=[$t(this.start.tick,i,s),$t(t.tick,i,s)].sort((a,r)=>a-r);e.state.loop=n[0]===n[1]?this.loop:[n[0],n[1]]}else{const i=s.at(Math.max(0,t.tick));e.state.range=[Math.min(this.fixed,i),Math.max(this.fixed,i)]}e.stage.invalidate(v.ruler|v.overlay)}}end(t,e){const{host:s}=this;if(e&&this.start.shift)s.emit("loop",{loop:s.state.loop});else if(e)s.emit("range",{range:s.state.range});else if(this.start.shift)this.clearLoop();else if(s.state.song){const i=$t(Math.max(0,t.tick),t.alt?0:s.state.grid,s.state.song.bars);s.state.cursor=i,s.stage.invalidate(v.cursor),s.emit("seek",{tick:i})}}cancel(){this.host.state.range=this.range,this.host.state.loop=this.loop,this.host.stage.invalidate(v.ruler|v.overlay)}clearLoop(){this.loop&&(this.host.state.loop=null,this.host.stage.invalidate(v.ruler|v.overlay),this.host.emit("loop",{loop:null}))}edges(){const t=this.host.state.song?.bars;if(!t||!this.range)return null;const{view:e}=this.host.stage;return[E(e,t.start(this.range[0])),E(e,t.start(this.range[1]+1))]}}class za{constructor(t,e){this.host=t,this.scrolls=!1,this.pitch=-1,this.move(e)}move(t){t.pitch!==this.pitch&&(this.pitch=t.pitch,this.host.sound(se(this.host.state)?.track??"",t.pitch,this.host.lastVelocity))}end(){this.host.press([])}cancel(){this.host.press([])}}class Ha{constructor(t,e){this.host=t,this.scrolls=!1,this.changed=new Map,this.last=e,this.move(e)}move(t){const{host:e,last:s}=this,{state:i,stage:n}=e;if(!e.editable)return;const a=Ta*n.view.ratio,[r,l]=[Math.min(s.x,t.x)-a,Math.max(s.x,t.x)+a];for(const{track:d}of oi(i)){const{notes:u}=d;for(const g of u.within(Math.floor(R(n.view,r)),Math.ceil(R(n.view,l)))){const f=U(u,g),m=E(n.view,f[0]);if(m<r||m>l||!this.paintable(d.track,f))continue;const y=fe(f,wn(this.lineAt(t,m),n.lane.height,n.view.ratio));let w=this.changed.get(d.track);w||this.changed.set(d.track,w=new Map),w.set(g,[f,y])}}this.last=t;const h=([d,u])=>[d,[...u.values()].map(g=>g[1])];i.velocities=new Map([...this.changed].map(h)),n.invalidate(v.lane)}end(){const{host:t}=this;this.cancel();const e=new Map([...this.changed].map(([n,a])=>{const r=[...a.values()];return[n,{remove:r.map(([l])=>l),add:r.map(([,l])=>l)}]})),s=[...this.changed.values()].flatMap(n=>[...n.values()]),i=s[s.length-1];i&&(t.lastVelocity=i[1][3]),t.commit(e,S.changeVelocity,t.state.selection.refs)}cancel(){this.host.state.velocities=null,this.host.stage.invalidate(v.lane)}paintable(t,e){const{selection:s,locks:i}=this.host.state;return i.has(t,e[0],e[2])?!1:s.size===0||s.has(t,e[0],e[2])}lineAt(t,e){const{last:s}=this;if(t.x===s.x)return t.y;const i=Math.max(0,Math.min(1,(e-s.x)/(t.x-s.x)));return s.y+(t.y-s.y)*i}}class de{constructor(t,e,s,i=null){this.host=t,this.last=e,this.flicks=s,this.click=i,this.scrolls=!1,this.speed=[0,0]}move(t){const e=[this.last.x-t.x,this.last.y-t.y];this.speed=[e[0]*.6+this.speed[0]*.4,e[1]*.6+this.speed[1]*.4],this.last=t,this.host.stage.scrollBy(...e)}end(t,e){e?this.flicks&&!matchMedia("(prefers-reduced-motion: reduce)").matches&&this.glide():this.click?.()}cancel(){this.speed=[0,0]}glide(){const{view:t}=this.host.stage;this.host.stage.scrollBy(...this.speed);const e=this.host.stage.view.left===t.left&&this.host.stage.view.top===t.top;this.speed=[this.speed[0]*ps,this.speed[1]*ps],!e&&Math.hypot(...this.speed)>Ca&&requestAnimationFrame(()=>this.glide())}}class Pa{constructor(t,e,s){this.host=t,this.last=[e,s]}move(t,e){const{stage:s}=this.host,[i,n]=this.last,a=Ra*s.view.ratio,r=(g,f)=>Math.abs(g)>a&&Math.abs(f)>a?Math.abs(f/g):1,l=[(i.x+n.x)/2,(i.y+n.y)/2],h=[(t.x+e.x)/2,(t.y+e.y)/2],[d,u]=[r(i.x-n.x,t.x-e.x),r(i.y-n.y,t.y-e.y)];s.setView(Gt(s.view,d,u,...l)),s.scrollBy(l[0]-h[0],l[1]-h[1]),this.last=[t,e]}}const Na=3,Oa=9,fs=.2,Ia=0,gs=1,Da=2;class Ua{constructor(t,e){this.host=t,this.wrapper=e,this.gesture=null,this.pinch=null,this.moved=!1,this.pressed=null,this.fingers=new Map,this.scrolling=0;const{stage:s}=t;for(const i of[s.scroller,s.ruler,s.piano,s.lane])i.addEventListener("pointerdown",n=>this.down(n,i)),i.addEventListener("pointermove",n=>this.move(n)),i.addEventListener("pointerup",n=>this.up(n)),i.addEventListener("pointercancel",n=>this.lost(n)),i.addEventListener("wheel",n=>this.wheel(n,i),{passive:!1});s.scroller.addEventListener("dblclick",i=>this.doubleClick(i)),s.ruler.addEventListener("dblclick",i=>this.chooseBar(i)),s.scroller.addEventListener("contextmenu",i=>{t.state.tool==="draw"&&i.preventDefault()}),s.scroller.addEventListener("mousedown",i=>{i.button===gs&&i.preventDefault()})}get busy(){return this.gesture!==null}cancel(){cancelAnimationFrame(this.scrolling),this.scrolling=0,this.gesture?.cancel(),this.gesture=null,this.pressed=null}point(t){const{view:e}=this.host.stage,s=this.host.stage.port.getBoundingClientRect(),i=(t.clientX-s.left)*e.ratio,a=this.pressed?.area===this.host.stage.lane?this.host.stage.lane.getBoundingClientRect().top:s.top,r=(t.clientY-a)*e.ratio;return{x:i,y:r,tick:R(e,i),pitch:O(e,r),alt:t.altKey,copy:t.ctrlKey||t.metaKey,shift:t.shiftKey,coarse:t instanceof PointerEvent&&t.pointerType==="touch"}}down(t,e){if(!(e===this.host.stage.scroller&&ms(t,e)||!this.host.state.song)){if(t.preventDefault(),this.wrapper.toggleAttribute("data-pointer",!0),this.wrapper.focus({preventScroll:!0}),e.setPointerCapture(t.pointerId),t.pointerType==="touch"){this.fingers.set(t.pointerId,t);const[i,n]=[...this.fingers.values()];if(i&&n){this.cancel(),this.pinch??=new Pa(this.host,this.point(i),this.point(n));return}}this.gesture||(this.host.state.walking=!1,this.pressed={id:t.pointerId,event:t,area:e},this.moved=!1,this.gesture=this.begin(t,this.point(t),e),this.gesture||(this.pressed=null))}}begin(t,e,s){const{host:i}=this;if(t.button===gs)return new de(i,e,!1);if(t.button===Da&&i.state.tool==="draw"&&s===i.stage.scroller)return new ka(i,e);if(t.button!==Ia)return null;if(s===i.stage.ruler)return new La(i,e);if(s===i.stage.piano)return new za(i,e);if(s===i.stage.lane)return new Ha(i,e);const a=Xt(i.state,i.stage.view,e.x,e.y,e.coarse);return a&&e.coarse&&i.state.tool==="select"&&!Ba(i,a)?new de(i,e,!0,()=>new us(i,a,e).end(e,!1)):a?a.edge&&!i.state.readonly?new ma(i,a,e):new us(i,a,e):i.state.tool==="draw"&&!i.state.readonly?new $a(i,e):e.coarse?new de(i,e,!0,()=>i.select([])):new ba(i,e)}move(t){if(this.fingers.has(t.pointerId)&&this.fingers.set(t.pointerId,t),this.pinch){const[i,n]=[...this.fingers.values()];i&&n&&this.pinch.move(this.point(i),this.point(n));return}if(!this.gesture||t.pointerId!==this.pressed?.id){!this.gesture&&t.pointerType!=="touch"&&this.hover(t);return}const e=this.pressed.event,s=Math.hypot(t.clientX-e.clientX,t.clientY-e.clientY);this.moved||=s>(t.pointerType==="touch"?Oa:Na),this.moved&&(this.pressed={...this.pressed,event:this.pressed.event},this.gesture.move(this.point(t)),this.scrollOutside(t))}up(t){if(this.fingers.delete(t.pointerId),this.pinch){this.fingers.size===0&&(this.pinch=null);return}if(!this.gesture||t.pointerId!==this.pressed?.id)return;const{gesture:e}=this,s=this.point(t);cancelAnimationFrame(this.scrolling),this.scrolling=0,this.gesture=null,this.pressed=null,e.end(s,this.moved)}lost(t){this.fingers.delete(t.pointerId),this.fingers.size===0&&(this.pinch=null),t.pointerId===this.pressed?.id&&this.cancel()}scrollOutside(t){if(cancelAnimationFrame(this.scrolling),this.scrolling=0,!this.gesture?.scrolls)return;const e=this.host.stage.scroller.getBoundingClientRect(),s=e.left+this.host.stage.scroller.clientWidth,i=e.top+this.host.stage.scroller.clientHeight,n=Math.min(0,t.clientX-e.left)+Math.max(0,t.clientX-s),r=this.pressed?.area===this.host.stage.scroller?Math.min(0,t.clientY-e.top)+Math.max(0,t.clientY-i):0;n===0&&r===0||(this.scrolling=requestAnimationFrame(()=>{const{stage:l}=this.host,h=l.view;l.scrollBy(n*fs*h.ratio,r*fs*h.ratio),!(l.view.left===h.left&&l.view.top===h.top)&&(this.gesture?.move(this.point(t)),this.scrollOutside(t))}))}hover(t){const{host:e}=this;if(t.currentTarget!==e.stage.scroller)return;const{x:s,y:i}=this.point(t),n=Xt(e.state,e.stage.view,s,i,!1),r=n&&e.state.locks.has(n.track,n.note[0],n.note[2])?"not-allowed":e.state.readonly?"default":n?.edge?"ew-resize":n?"grab":"";e.stage.scroller.style.cursor=r||(e.state.tool==="draw"?"crosshair":"default")}doubleClick(t){const{state:e,stage:s}=this.host;e.tool==="select"&&!ms(t,s.scroller)&&ya(this.host,this.point(t))}chooseBar(t){const{state:e,stage:s}=this.host;if(!e.song)return;const i=e.song.bars.at(Math.max(0,this.point(t).tick));e.range=[i,i],s.invalidate(v.ruler|v.overlay),this.host.emit("range",{range:e.range})}wheel(t,e){const{stage:s}=this.host,i=sn(t,s.view.height/s.view.ratio),{x:n,y:a}=this.point(t),r=i.y||i.x;if(t.ctrlKey||t.metaKey)s.setView(Gt(s.view,is(r),1,n,0));else if(t.altKey)s.setView(Gt(s.view,1,is(r),0,a));else if(t.shiftKey)s.scrollBy((i.x||i.y)*s.view.ratio,0);else if(e!==s.scroller)s.scrollBy(i.x*s.view.ratio,i.y*s.view.ratio);else return;t.preventDefault()}}function Ba(o,{track:t,note:e}){return o.state.selection.has(t,e[0],e[2])}function ms(o,t){const e=t.getBoundingClientRect();return o.clientX-e.left>=t.clientWidth||o.clientY-e.top>=t.clientHeight}const Va=["(prefers-color-scheme: dark)","(forced-colors: active)"],Ka=["class","style","data-theme"];class Wa extends HTMLElement{constructor(){super(),this.state=Ho(),this.watcher=null,this.media=Va.map(s=>matchMedia(s)),this.recolour=()=>this.stage.recolour();const t=this.attachShadow({mode:"open"});t.innerHTML=Qn,this.wrapper=t.querySelector(".roll"),this.stage=new la(t,this.state),this.host=new ha(this.state,this.stage,this),this.commands=new da(this.host,t.querySelector("#note"));const e=new Ua(this.host,this.wrapper);new Sa(this.host,this.commands,e,this.wrapper)}connectedCallback(){this.stage.connect();for(const t of this.media)t.addEventListener("change",this.recolour);this.watcher=new MutationObserver(this.recolour);for(const t of[document.documentElement,document.body,this])this.watcher.observe(t,{attributes:!0,attributeFilter:Ka})}disconnectedCallback(){this.stage.disconnect();for(const t of this.media)t.removeEventListener("change",this.recolour);this.watcher?.disconnect()}focus(t){this.wrapper.focus(t)}get song(){return this.state.song}set song(t){t!==this.state.song&&(this.state.song=t,this.stage.showSong(!this.host.committing),this.host.forget())}get activeTrack(){return this.state.activeTrack}set activeTrack(t){t!==this.state.activeTrack&&(this.state.activeTrack=t,this.stage.showTracks())}get ghosts(){return this.state.ghosts}set ghosts(t){bs(t,this.state.ghosts)||(this.state.ghosts=new Set(t),this.stage.showTracks())}get hiddenTracks(){return this.state.hidden}set hiddenTracks(t){bs(t,this.state.hidden)||(this.state.hidden=new Set(t),this.stage.showTracks())}get idea(){return this.state.idea}set idea(t){const e=t!==null&&t===this.state.idea;this.state.idea=t,e?this.stage.grown():this.stage.invalidate(v.overlay)}get locks(){return this.state.locks}set locks(t){t!==this.state.locks&&(this.state.locks=t,this.stage.tiles.allStale(),this.stage.invalidate(v.notes))}get selection(){return this.state.selection.refs}set selection(t){this.host.showSelection(new Kt(t))}get range(){return this.state.range}set range(t){this.state.range=t,this.stage.invalidate(v.ruler|v.overlay)}get loop(){return this.state.loop}set loop(t){this.state.loop=t,this.stage.invalidate(v.ruler|v.overlay)}get tool(){return this.state.tool}set tool(t){this.state.tool=t}get grid(){return this.state.grid}set grid(t){t!==this.state.grid&&(this.state.grid=Math.max(0,t),this.stage.invalidate(v.grid))}get scaleTint(){return this.state.scaleTint}set scaleTint(t){t!==this.state.scaleTint&&(this.state.scaleTint=t,this.stage.invalidate(v.grid))}get readonly(){return this.state.readonly}set readonly(t){this.state.readonly=t}cursorAt(t,e){this.state.cursor=t,e&&this.stage.follow(t),this.stage.moveCursor()}reveal(t,e){this.stage.reveal(t,e)}zoom(t,e){const{view:s}=this.stage;this.stage.setView(Gt(s,t,e,s.width/2,s.height/2))}frame(){this.stage.frame()}zoomToFit(){this.stage.fit()}command(t){this.commands.run(t)}toClient({track:t,tick:e,pitch:s}){const i=Ct(this.state).find(m=>m.track.track===t),n=i?.track.notes.find(e,s)??-1;if(!i||n<0)return null;const{view:a,port:r}=this.stage,[l,h,d,u]=B(a,e,U(i.track.notes,n)[1],s),g=r.getBoundingClientRect(),{ratio:f}=a;return{x:g.left+l/f,y:g.top+h/f,width:d/f,height:u/f}}toClientTick(t){const{view:e,port:s}=this.stage;return s.getBoundingClientRect().left+E(e,t)/e.ratio}model(){const{song:t,selection:e,range:s}=this.state,i=t?wt(t,e.refs):[];return{song:t,selection:i,range:s,drawnNotes:this.stage.tiles.drawnNotes(this.stage.view)}}idle(){return this.stage.idle()}get frames(){return{...this.stage.record,tiles:this.stage.tiles.painted}}}function bs(o,t){return o.size===t.size&&[...o].every(e=>t.has(e))}customElements.get("toccata-roll")||customElements.define("toccata-roll",Wa);class Fa extends C{static{this.styles=[P,L`
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
    `]}render(){const{studio:t}=this,{view:e,piece:s,playing:i}=t,n=s?.song??null,a=Bt[e.grid]?.[1]??0,r=e.ghosts&&n?new Set(n.tracks.map(({track:l})=>l).filter(l=>l!==e.activeTrack)):new Set;return p`<div class="tools" role="toolbar" aria-label=${c.roll.tools}>
        ${this.tool("select",c.roll.select)}${this.tool("draw",c.roll.draw)}
        <label class="row"
          ><span class="wide">${c.roll.grid}</span
          ><select aria-label=${c.roll.grid} @change=${l=>t.set({grid:Number(T(l))})}>
            ${Bt.map(([l],h)=>p`<option value=${h} ?selected=${h===e.grid}>${l||c.roll.off}</option>`)}
          </select></label
        >
        ${this.flag(c.roll.scale,"scale",e.scale,()=>t.set({scale:!e.scale}))}
        ${this.flag(c.roll.ghosts,"ghosts",e.ghosts,()=>t.set({ghosts:!e.ghosts}))}
        ${this.flag(c.roll.follow,"follow",i.follow,()=>{i.follow=!i.follow,t.changed()})}
        <span class="spread"></span>
        ${this.flag(c.roll.table,"table",e.table,()=>t.set({table:!e.table}))}
        <button
          class="icon-only"
          aria-label=${c.commands.zoomOut}
          title=${this.tip("zoomOut")}
          @click=${()=>t.roll?.zoom(.8,1)}
        >
          ${A("minus")}
        </button>
        <button class="wide" title=${this.tip("fit")} @click=${()=>t.roll?.zoomToFit()}>${c.roll.fit}</button>
        <button
          class="icon-only"
          aria-label=${c.commands.zoomIn}
          title=${this.tip("zoomIn")}
          @click=${()=>t.roll?.zoom(1.25,1)}
        >
          ${A("plus")}
        </button>
      </div>
      <div class="roll">
        <toccata-roll
          .song=${n}
          .activeTrack=${e.activeTrack}
          .ghosts=${r}
          .hiddenTracks=${e.hidden}
          .locks=${s?.locks??qa}
          .selection=${e.selection}
          .range=${e.range}
          .loop=${i.loop}
          .tool=${e.tool}
          .grid=${n?Math.round(a*n.ticksPerQuarter):0}
          .scaleTint=${e.scale}
          .readonly=${!s}
          @edit=${this.on("edit",({operations:l,selection:h})=>this.edited(l,h))}
          @select=${this.on("select",({selection:l})=>t.set({selection:l}))}
          @range=${this.on("range",({range:l})=>t.chooseBars(l))}
          @lock=${this.on("lock",({notes:l,locked:h})=>{t.attempt(()=>s?.lock(l,h)??Promise.resolve())})}
          @sound=${this.on("sound",({track:l,pitch:h,velocity:d})=>this.touch(l,h,d))}
          @seek=${this.on("seek",({tick:l})=>i.seek(l))}
          @loop=${this.on("loop",({loop:l})=>{e.loopOn=!1,i.setLoop(l)})}
          @describe=${this.on("describe",({text:l})=>t.announcer.say(l))}
        ></toccata-roll>
        ${n&&Rs(n)&&!t.layer?p`<p class="empty">${c.roll.empty}</p>`:b}
      </div>`}firstUpdated(){this.studio.playing.roll=this.renderRoot.querySelector("toccata-roll")}edited(t,e){this.studio.view.selection=e,this.studio.edit(t),this.studio.roll&&(this.studio.roll.song=this.studio.song)}touch(t,e,s){const i=this.studio.song?.track(t);this.studio.playing.player.touch(i?.program??0,i?.drum??!1,e,s)}on(t,e){return s=>e(s.detail)}tool(t,e){return p`<button
      aria-pressed=${this.studio.view.tool===t}
      title=${this.tip(t)}
      @click=${()=>this.studio.set({tool:t})}
    >
      ${e}
    </button>`}flag(t,e,s,i){return p`<button aria-pressed=${s} title=${this.tip(e)} @click=${i}>${t}</button>`}tip(t){const e=D(t);return`${Vs(e,"plain")?.name??""} (${_t(e,Tt)})`}}const qa={has:()=>!1,list:()=>[]};H("toccata-stage",Fa);class ja extends C{static{this.styles=[P,L`
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
        .where {
          display: none;
        }
      }
      @media (pointer: coarse) {
        .verbs kbd,
        .picker kbd {
          display: none;
        }
      }
    `]}render(){const{studio:t}=this,{view:e,song:s}=t,i=e.activeTrack===null?void 0:s?.track(e.activeTrack);return p`<section aria-label=${c.strip.label}>
      <div class="strip">
        ${this.range()}
        <div class="verbs">${vs.map(n=>this.verb(n))}</div>
        <label class="row where"
          ><span class="muted">${c.strip.where}</span>
          <select
            class="scope"
            @change=${n=>t.set({options:{...e.options,onlyActive:T(n)==="active"}})}
          >
            <option value="all" ?selected=${!e.options.onlyActive}>${c.strip.all}</option>
            ${i?p`<option value="active" ?selected=${e.options.onlyActive}>${xt(i)}</option>`:b}
          </select></label
        >
        <span class="spread"></span>
        <button
          class="mark"
          aria-expanded=${e.optionsOpen}
          @click=${()=>t.set({optionsOpen:!e.optionsOpen})}
        >
          ${c.strip.controls}<kbd>${D("options")}</kbd>
        </button>
      </div>
      ${e.hint===null?b:p`<p class="hint" role="status">${e.hint}</p>`}
      ${e.picker?this.picker():b}
    </section>`}range(){const{range:t}=this.studio.view;return t?p`<span class="range"
      >${c.range.bars(t[0],t[1])}
      <button
        class="small icon-only"
        aria-label=${c.range.clear}
        title=${c.range.clear}
        @click=${()=>this.studio.chooseBars(null)}
      >
        ${A("close")}
      </button></span
    >`:p`<span class="range none"
        ><span>${c.range.none}<span class="how">: ${c.range.how}</span></span></span
      >`}verb(t){const{studio:e}=this,s=Si(t,e.situation),i=t==="continue"&&e.song&&Rs(e.song),{name:n,hint:a}=c.verbs[i?"generate":t];return p`<button
      class="outlined ${s===null?"":"unable"}"
      title=${s??a}
      aria-expanded=${t==="accompany"?e.view.picker===t:b}
      @click=${()=>e.press(t)}
    >
      ${n}<kbd>${D(t)}</kbd>
    </button>`}picker(){const{studio:t}=this,e=t.model?.programs??[],s=(e.length>0?[...e]:[...zs.keys()]).sort((i,n)=>i-n);return p`<div class="picker" role="group" aria-label=${c.strip.add}>
      <strong>${c.strip.add}</strong>
      ${Ls(e).map(({label:i,program:n},a)=>p` <button class="outlined" @click=${()=>this.add(n)}>${i}<kbd>${a+1}</kbd></button>`)}
      <select aria-label=${c.strip.other} @change=${i=>this.add(Number(T(i)))}>
        <option value="" selected disabled>${c.strip.other}</option>
        ${s.map(i=>p`<option value=${i}>${Vt(i,i===pe)}</option>`)}
      </select>
      <button
        class="small icon-only"
        aria-label=${c.strip.cancel}
        title=${c.strip.cancel}
        @click=${()=>t.set({picker:null})}
      >
        ${A("close")}
      </button>
    </div>`}add(t){this.studio.begin("accompany",[t])}}function Ga(o,t){const e=Ls(o.model?.programs??[])[t-1];return e&&o.begin("accompany",[e.program]),e!==void 0}H("toccata-strip",ja);function Qa(o,t){const{bar:e,beat:s,rest:i}=o.place(t),n=Math.round(i*1e3)/1e3;return`${e}.${s}${n>0?String(n).slice(1):""}`}function Ya(o,t,e,s,i){const[n,a,r,l]=o;if(t==="pitch"){const d=Ei(e);return d===null?null:[n,a,d,l]}if(t==="place"){const d=/^\s*(\d{1,6})\.(\d{1,2})(?:\.(\d{1,6}))?\s*$/.exec(e);if(!d)return null;const u=Number(d[1]),[g,f]=s.meter(Math.max(1,u)),m=Number(d[2]);if(u<1||m<1||m>g)return null;const y=s.start(u)+(m-1+ +`0.${d[3]??"0"}`)*i*4/f;return[Math.round(y),a,r,l]}const h=Number(e.trim().replace(",",".")||NaN);return t==="length"?h>0&&h<=1e3?[n,Math.max(1,Math.round(h*i)),r,l]:null:Number.isInteger(h)&&h>=1&&h<=127?[n,a,r,h]:null}const gt=32,$s=6;class Xa extends C{static{this.properties={...C.properties,top:{state:!0}}}static{this.styles=[P,L`
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
        height: ${gt}px;
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
    `]}constructor(){super(),this.top=0}render(){const{studio:t}=this,{song:e,view:s}=t,i=s.activeTrack===null?void 0:e?.track(s.activeTrack);return p`<header>
        <h2>${c.table.label}${i?`: ${xt(i)}`:""}</h2>
        <span class="spread"></span>
        <button
          class="small icon-only"
          aria-label=${c.table.close}
          title=${c.table.close}
          @click=${()=>t.set({table:!1})}
        >
          ${A("close")}
        </button>
      </header>
      ${!e||!i||i.notes.count===0?p`<p class="muted row">${c.table.none}</p>`:this.table(i,e.bars,e.ticksPerQuarter)}`}table(t,e,s){const{notes:i}=t,n=this.renderRoot.querySelector(".scroller")?.clientHeight??240,a=Math.max(0,Math.floor(this.top/gt)-$s),r=Math.min(i.count,Math.ceil((this.top+n)/gt)+$s),l=Array.from({length:Math.max(0,r-a)},(h,d)=>a+d);return p`<div
      class="scroller"
      role="table"
      aria-label=${c.table.label}
      aria-rowcount=${i.count+1}
      tabindex="0"
      @scroll=${h=>{this.top=h.currentTarget.scrollTop}}
    >
      <div class="row head" role="row" aria-rowindex="1">
        ${[c.table.bar,c.table.length,c.table.pitch,c.table.velocity,c.table.lock,c.table.delete].map(h=>p`<span role="columnheader"
              ><span class=${h===c.table.delete?"unseen":""}>${h}</span></span
            >`)}
      </div>
      <div class="body" role="rowgroup" ${jt({"--height":`${i.count*gt}px`})}>
        ${l.map(h=>this.row(t,h,e,s))}
      </div>
    </div>`}row(t,e,s,i){const{studio:n}=this,a=U(t.notes,e),r={track:t.track,tick:a[0],pitch:a[2]},l=n.piece?.locks.has(r.track,r.tick,r.pitch)??!1,h=n.view.selection.some(({track:u,tick:g,pitch:f})=>u===r.track&&g===r.tick&&f===r.pitch),d=Qa(s,a[0]);return p`<div
      class="row ${h?"selected":""}"
      role="row"
      aria-rowindex=${e+2}
      ${jt({"--top":`${e*gt}px`})}
      @focusin=${()=>!h&&n.set({selection:[r]})}
    >
      ${this.field(t,a,"place",c.table.bar,d,l)}
      ${this.field(t,a,"length",c.table.length,Za(a[1]/i),l)}
      ${this.field(t,a,"pitch",c.table.pitch,at(a[2]),l)}
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
          aria-label=${`${c.table.delete} ${at(a[2])} ${d}`}
          title=${c.table.delete}
          ?disabled=${l}
          @click=${()=>this.put(t,a,null)}
        >
          ${A("trash")}
        </button></span
      >
    </div>`}field(t,e,s,i,n,a){return p`<span role="cell"
      ><input
        aria-label=${i}
        .value=${n}
        ?readonly=${a}
        @change=${r=>this.change(t,e,s,r)}
    /></span>`}change(t,e,s,i){const{song:n}=this.studio,a=i.target,r=n?Ya(e,s,T(i),n.bars,n.ticksPerQuarter):null;a.setAttribute("aria-invalid",String(r===null)),r?this.put(t,e,r):this.studio.announcer.say(c.table.bad(a.value))}put(t,e,s){s?.every((i,n)=>i===e[n])||this.studio.edit([{type:"notes",..._i(t),remove:[e],add:s?[s]:[]}])}}function Za(o){return String(Math.round(o*1e3)/1e3)}H("toccata-note-table",Xa);function Ja(o,t,e=!1){const s=new Map(o.map(d=>[d.id,d])),i=o.filter(d=>!d.deleted);if(e)return i.filter(({star:d})=>d).sort(ue).map(d=>({take:d,depth:0}));const n=d=>{let u=d.parent===null?void 0:s.get(d.parent);for(;u?.deleted;)u=u.parent===null?void 0:s.get(u.parent);return u?.id??null},a=new Map;for(const d of i){const u=n(d),g=a.get(u);g?g.push(d):a.set(u,[d])}const r=new Set;for(let d=t===null?void 0:s.get(t);d;d=s.get(n(d)??""))r.add(d.id);const l=[],h=(a.get(null)??[]).sort((d,u)=>ue(u,d)).map(d=>({take:d,depth:0,done:!1}));for(;h.length>0;){const d=h.pop();if(!d)break;if(d.done){l.push({take:d.take,depth:d.depth});continue}h.push({...d,done:!0});const u=(a.get(d.take.id)??[]).sort((m,y)=>ue(y,m)),g=u.find(({id:m})=>r.has(m))??(u.length===1?u[0]:void 0),f=g?[...u.filter(m=>m!==g),g]:u;for(const m of f)h.push({take:m,depth:d.depth+(m===g?0:1),done:!1})}return l}function ue(o,t){return t.created-o.created}const tr=14,er=6;class sr extends C{static{this.properties={...C.properties,renaming:{state:!0},focused:{state:!0}}}static{this.styles=[P,L`
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
    `]}constructor(){super(),this.renaming=null,this.focused=null}render(){const{studio:t}=this,{piece:e,view:s}=t,i=[...e?.takes.values()??[]],n=Ja(i,e?.take??null,s.starredOnly),a=s.compare?e?.takes.get(s.compare.take):void 0;return p` <div class="intro">
        <p class="muted small">${c.takes.help}</p>
        <button
          class="small icon-only"
          aria-pressed=${s.starredOnly}
          aria-label=${c.takes.starred}
          title=${c.takes.starred}
          @click=${()=>t.set({starredOnly:!s.starredOnly})}
        >
          ${A("star")}
        </button>
      </div>
      <div class="tree" role="tree" aria-label=${c.takes.label} @keydown=${this.treeKey}>
        ${ee(n,({take:r})=>r.id,(r,l)=>this.row(r,l===0))}
      </div>
      ${a&&s.compare?this.comparison(a,s.compare.heard):b} ${this.locked()}`}row({take:t,depth:e},s){const{studio:i}=this,n=t.id===i.piece?.take,a=i.view.compare?.take===t.id,r=mt(t),l=[c.takes.kinds[t.kind],t.kind==="idea"&&t.state!=="growing"||t.kind==="recording"?c.tracks.notes(t.notes):"",c.takes.states[t.state],n?c.takes.here:""],h=this.focused===null?n||s&&!i.piece?.take:this.focused===t.id;return p`<div
      class="take ${n?"head":""} ${a?"compared":""} ${t.state}"
      role="treeitem"
      aria-level=${e+1}
      aria-selected=${n}
      data-take=${t.id}
      ${jt({"--indent":`${Math.min(e,er)*tr}px`})}
    >
      ${t.star?p`<span class="starred" title=${c.notices.starred}>${A("star")}</span>`:b}
      ${this.renaming===t.id?p`<input
              class="rename"
              aria-label=${c.takes.rename}
              .value=${t.title}
              @keydown=${this.renameKey}
              @blur=${d=>this.renamed(t,d)}
            />`:p`<button
              class="what"
              tabindex=${h?0:-1}
              title=${t.error??c.takes.go}
              @click=${()=>this.choose(t)}
              @focus=${()=>{this.focused=t.id}}
            >
              <span class="title cut">${r}</span><span class="sub cut">${l.filter(Boolean).join(" · ")}</span>
            </button>`}
      <span class="acts">
        ${n?b:this.act("ear",a?c.takes.compareStop:c.takes.compare,()=>{i.compare(a?null:t.id)},a)}
        ${this.act("star",t.star?c.takes.unstar:c.takes.star,()=>{Dt(i,t,{star:!t.star})})}
        ${this.act("pencil",`${c.takes.rename} (F2)`,()=>this.rename(t))}
        ${this.act("down",c.commands.midi,()=>{ve(i,t.id,"mid")})}
        ${n?b:this.act("trash",c.takes.delete,()=>{Pe(i,t)})}
      </span>
    </div>`}act(t,e,s,i=!1){return p`<button
      class="small icon-only"
      tabindex="-1"
      aria-pressed=${i?"true":b}
      aria-label=${e}
      title=${e}
      @click=${s}
    >
      ${A(t)}
    </button>`}comparison(t,e){const{studio:s}=this,i=s.piece?.take,n=a=>{i&&s.attempt(async()=>{await s.api.rate(i,t.id,a),s.notices.say(c.notices.rated)})};return p`<section class="compare" aria-label=${c.takes.comparing(mt(t))}>
      <h3>${c.takes.comparing(mt(t))}</h3>
      <p class="small muted">${c.takes.compareHow}</p>
      <div class="row">
        <button class="outlined" aria-pressed=${!e} @click=${()=>{s.compare(t.id,!1)}}>
          ${c.takes.hereBetter}
        </button>
        <button class="outlined" aria-pressed=${e} @click=${()=>{s.compare(t.id,!0)}}>
          ${mt(t)}
        </button>
      </div>
      <div class="row small">
        <span class="muted">${c.takes.better}:</span>
        <button class="small outlined" @click=${()=>i&&n(i)}>${c.takes.hereBetter}</button>
        <button class="small outlined" @click=${()=>n(t.id)}>${mt(t)}</button>
        <button class="small" @click=${()=>{s.compare(null)}}>${c.takes.compareStop}</button>
      </div>
    </section>`}locked(){const{piece:t}=this.studio;if(!t)return b;const e=t.locks.refs.filter(({track:s,tick:i,pitch:n})=>(t.song.track(s)?.notes.find(i,n)??-1)>=0);return e.length===0?b:p`<section class="locks" aria-label=${c.takes.locks}>
      <header>
        <h3>${c.takes.locks} (${e.length})</h3>
        <button class="small" @click=${()=>{this.studio.attempt(()=>t.lock(e,!1))}}>
          ${c.takes.unlockAll}
        </button>
      </header>
      <ul>
        ${e.slice(0,200).map(s=>{const i=t.song.track(s.track),{bar:n,beat:a}=t.song.bars.place(s.tick);return p`<li>
            ${A("lock")}<span class="cut spread"
              >${at(s.pitch)}, ${n}.${a}${i?`, ${xt(i)}`:""}</span
            >
            <button class="small" @click=${()=>{this.studio.attempt(()=>t.lock([s],!1))}}>
              ${c.takes.unlock}
            </button>
          </li>`})}
      </ul>
    </section>`}choose(t){t.state==="growing"||t.state==="failed"?this.studio.attempt(()=>this.studio.ideas.open(t)):this.studio.goto(t)}treeKey(t){const e=[...this.renderRoot.querySelectorAll(".take")],s=e.findIndex(a=>a.matches(":focus-within")),i=this.studio.piece?.takes.get(e[s]?.dataset.take??"");if(!i||this.renaming)return;const n={ArrowDown:1,ArrowUp:-1}[t.key];if(n!==void 0)e[s+n]?.querySelector(".what")?.focus();else if(t.key==="F2")this.rename(i);else if(t.key==="Delete"&&i.id!==this.studio.piece?.take)Pe(this.studio,i);else if(t.key==="*")Dt(this.studio,i,{star:!i.star});else if(t.key.toLowerCase()==="b"&&i.id!==this.studio.piece?.take&&this.studio.view.compare?.take!==i.id)this.studio.compare(i.id);else return;t.preventDefault(),t.stopPropagation()}rename(t){this.renaming=t.id,this.updateComplete.then(()=>this.renderRoot.querySelector(".rename")?.select())}renameKey(t){t.stopPropagation(),t.key==="Escape"&&(this.renaming=null),t.key==="Enter"&&t.target.blur()}renamed(t,e){if(this.renaming!==t.id)return;this.renaming=null;const s=T(e).trim();s!==t.title&&Dt(this.studio,t,{title:s})}}function mt(o){return o.title?o.verb?o.title.replace(new RegExp(`^${o.verb}\\b`,"i"),c.verbs[o.verb].name):o.title:o.kind==="idea"&&o.verb?`${c.verbs[o.verb].name}${o.bars?`, ${c.range.bars(...o.bars).toLowerCase()}`:""}`:c.takes.kinds[o.kind]}H("toccata-takes",sr);class ir extends C{static{this.properties={...C.properties,renaming:{state:!0}}}static{this.styles=[P,L`
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
          ${A("plus")}${c.tracks.add}
        </button>
      </header>
      ${e.length===0?p`<p class="muted none">${c.tracks.none}</p>`:""}
      <ul aria-label=${c.tracks.label}>
        ${ee(e,s=>s.track,(s,i)=>this.row(s,i))}
      </ul>`}row(t,e){const{studio:s}=this,{view:i,playing:n}=s,a=t.track,r=xt(t),l=n.muted.has(a),h=n.soloed.has(a),d=i.hidden.has(a),u=l||n.soloed.size>0&&!h||d,g=a===i.activeTrack;return p`<li class="${g?"active":""} ${u?"silent":""}">
      <span class="colour" ${jt({"--colour":Fo(e)})}></span>
      ${this.renaming===a?this.fields(t):p` <button
              class="text"
              aria-current=${g}
              title=${`${c.tracks.notes(t.notes.count)} – ${c.tracks.rename}: F2`}
              @click=${()=>s.set({activeTrack:a})}
              @dblclick=${()=>this.rename(a)}
              @keydown=${f=>f.key==="F2"&&this.rename(a)}
            >
              <span class="name" title=${r}>${r}</span>
              <span class="instrument cut">${e+1} · ${Vt(t.program,t.drum)}</span>
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
          ${A(d?"eyeOff":"eye")}
        </button>
      </span>
    </li>`}fields(t){return p`<div @focusout=${this.leave} @keydown=${this.fieldKey}>
      <input
        class="field"
        aria-label=${c.tracks.rename}
        .value=${xt(t)}
        @change=${e=>this.studio.edit([{type:"rename",track:t.track,name:T(e)}])}
      />
      ${t.drum?"":p`<select
              aria-label=${c.tracks.program}
              @change=${e=>this.studio.edit([{type:"program",track:t.track,program:Number(T(e))}])}
            >
              ${zs.map((e,s)=>p`<option value=${s} ?selected=${s===t.program}>${e}</option>`)}
            </select>`}
    </div>`}mark(t,e,s,i,n,a){return p`<button
      class="mark ${e}"
      aria-pressed=${n}
      aria-label=${`${s} ${i}`}
      title=${s}
      @click=${a}
    >
      ${t}
    </button>`}rename(t){this.renaming=t,this.updateComplete.then(()=>this.renderRoot.querySelector(".field")?.select())}leave(t){const e=t.currentTarget;t.relatedTarget instanceof Node&&e.contains(t.relatedTarget)||(this.renaming=null)}fieldKey(t){t.key==="Enter"&&t.target.blur(),(t.key==="Enter"||t.key==="Escape")&&(this.renaming=null),t.stopPropagation()}}H("toccata-tracks",ir);const Ot=90,It=4;class or extends ot{constructor(){super(),this.observer=null,this.curve=[]}static{this.properties={curve:{attribute:!1}}}static{this.styles=L`
    :host {
      display: block;
    }
    canvas {
      display: block;
      width: 100%;
      height: ${Ot}px;
    }
  `}connectedCallback(){super.connectedCallback(),this.observer=new ResizeObserver(()=>this.draw()),this.observer.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.observer?.disconnect()}render(){const t=this.curve.at(-1),e=t?`${c.train.curve}. ${c.train.step} ${t[0]}, ${c.train.loss} ${(t[2]??t[1]??0).toFixed(3)}`:c.train.curve;return p`<canvas role="img" aria-label=${e}></canvas>`}updated(t){this.draw()}draw(){const t=this.renderRoot.querySelector("canvas"),e=t?.getContext("2d"),s=this.clientWidth;if(!t||!e||s===0)return;const i=devicePixelRatio||1;t.width=Math.round(s*i),t.height=Math.round(Ot*i),e.scale(i,i),e.clearRect(0,0,s,Ot);const n=this.curve.flatMap(([,f,m])=>[f,m]).filter(f=>f!==null),[a,r]=[Math.min(...n),Math.max(...n)],l=Math.max(1,this.curve.at(-1)?.[0]??1);if(n.length===0)return;const h=f=>It+f/l*(s-2*It),d=f=>It+(1-(r>a?(f-a)/(r-a):.5))*(Ot-2*It),u=getComputedStyle(this);e.lineJoin="round",this.line(e,1,h,d,u.getPropertyValue("color"),1);const g=this.colour("--accent");this.line(e,2,h,d,g,2),e.fillStyle=g;for(const f of this.curve)f[2]!==null&&(e.beginPath(),e.arc(h(f[0]),d(f[2]),2.5,0,2*Math.PI),e.fill())}line(t,e,s,i,n,a){t.beginPath();let r=!1;for(const l of this.curve){const h=l[e];h!==null&&(r?t.lineTo(s(l[0]),i(h)):t.moveTo(s(l[0]),i(h)),r=!0)}t.strokeStyle=n,t.lineWidth=a,t.stroke()}colour(t){const e=this.renderRoot.querySelector("canvas");return e?(e.style.color=`var(${t})`,getComputedStyle(e).color):"gray"}}H("toccata-curve",or);const nr=".mid,.midi,.kar,.rmi";class ar extends C{constructor(){super(),this.loaded=!1,this.over=!1,this.chosen="",this.kind="finetune"}static{this.properties={...C.properties,over:{state:!0},chosen:{state:!0},kind:{state:!0}}}static{this.styles=[P,Fs,L`
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
        @dragover=${this.dragOver}
        @dragleave=${()=>{this.over=!1}}
        @drop=${this.drop}
      >
        ${e?p`<p role="status">${c.train.uploading(e.done,e.all)}</p>
                <progress max=${e.all} value=${e.done}></progress>`:p`<p>${c.train.drop}</p>
                <div class="row">
                  <button class="outlined" @click=${()=>{this.choose(!0)}}>
                    ${A("folder")}${c.train.folder}
                  </button>
                  <button class="outlined" @click=${()=>{this.choose(!1)}}>${c.train.files}</button>
                </div>`}
      </div>
      ${this.form()} ${t.list.length===0?b:p`<h2>${c.train.trainings}</h2>`}
      ${ee(t.list,({id:s})=>s,s=>this.training(s))}`}form(){const{trainings:t,server:e}=this.studio,{music:s}=t,i=s.find(({name:a})=>a===this.chosen)??s[0];if(!i)return p`<p class="muted">${c.train.noMusic}</p>`;const n=t.checks.get(i.name);return p`<form @submit=${this.start}>
      <label
        ><span>${c.train.music}</span
        ><select
          name="music"
          @change=${a=>{this.chosen=T(a)}}
        >
          ${s.map(({name:a,files:r})=>p`<option value=${a} ?selected=${a===i.name}>${a} (${c.train.filesCount(r)})</option>`)}
        </select></label
      >
      <div class="row">
        <button
          type="button"
          class="outlined"
          ?disabled=${n==="running"}
          @click=${()=>{this.studio.attempt(()=>t.check(i.name))}}
        >
          ${n==="running"?c.train.checking:c.train.check}
        </button>
      </div>
      ${n&&n!=="running"?lr(n):b}
      <label
        ><span>${c.train.kind}</span
        ><select
          name="kind"
          @change=${a=>{this.kind=T(a)}}
        >
          <option value="finetune" ?selected=${this.kind==="finetune"}>${c.train.finetune}</option>
          <option value="train" ?selected=${this.kind==="train"}>${c.train.train}</option>
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
          ><span>${c.train.name}</span><input name="name" required maxlength="80" .value=${`${i.name}-model`}
        /></label>
        <label
          ><span>${c.train.minutes}</span><input name="minutes" type="number" min="0.1" step="any" value="10" required
        /></label>
      </div>
      <div><button class="primary" type="submit">${A("train")}${c.train.start}</button></div>
    </form>`}training(t){const{studio:e}=this,s=t.state==="running"||t.state==="checking",i=a=>{e.attempt(()=>e.api.steer(t.id,a))},n=t.curve.at(-1);return p`<section class="training" aria-label=${t.name}>
      <div class="row">
        <strong class="cut">${t.name}</strong><span class="spread"></span
        ><span class="muted small">${c.train.states[t.state]}</span>
      </div>
      ${s||t.state==="paused"?p`<progress max="1" value=${t.done} aria-label=${t.name}></progress>`:b}
      ${t.curve.length>1?p`<toccata-curve class="curve" .curve=${t.curve}></toccata-curve>`:b}
      <div class="row small muted">
        ${n?p`<span class="mono">${c.train.step} ${n[0]} · ${c.train.loss} ${(n[2]??n[1]??0).toFixed(3)}</span>`:b}
        <span class="spread"></span
        >${t.secondsLeft!==null&&s?t.secondsLeft>0?c.train.left(c.minutes(t.secondsLeft)):c.train.finishing:b}
      </div>
      ${t.error?p`<p class="error">${t.error}</p>`:b}
      <div class="row">
        ${s?p`<button class="small outlined" @click=${()=>i("pause")}>${c.train.pause}</button>`:b}
        ${t.state==="paused"||t.state==="failed"?p`<button class="small outlined" @click=${()=>i("resume")}>${c.train.resume}</button>`:b}
        ${s||t.state==="paused"?p`<button class="small outlined" @click=${()=>i("cancel")}>${c.train.cancel}</button>`:b}
      </div>
      ${t.samples.length===0?b:p`<div class="row wrapped" role="group" aria-label=${c.train.listen}>
              <span class="small muted">${c.train.listen}</span>
              ${rr(t).map(({url:a,name:r})=>p`<button class="small outlined" @click=${()=>{this.hear(t,a,r)}}>${A("ear")}${r}</button>`)}
            </div>`}
    </section>`}async hear(t,e,s){const{studio:i}=this;await i.attempt(async()=>{const n=await i.api.fileAt(e);i.show(await i.api.importPiece(`${t.name}, ${s.toLowerCase()}`,n)),i.set({tab:"roll"}),i.playing.play(0),await i.refresh()})}start(t){t.preventDefault();const e=new FormData(t.target),s=a=>String(e.get(a)??"").trim(),i=s("base"),n={kind:this.kind,music:s("music"),name:s("name"),minutes:Number(s("minutes")),...this.kind==="finetune"&&i?{base:i}:{}};this.studio.attempt(()=>this.studio.trainings.begin(n))}async choose(t){await this.take(await Ss(nr,!0,t))}dragOver(t){t.preventDefault(),t.stopPropagation(),this.over=!0}drop(t){t.preventDefault(),t.stopPropagation(),this.over=!1,t.dataTransfer&&Hs(t.dataTransfer).then(e=>this.take(e))}async take(t){if(t.length===0)return;const s=t[0]?.webkitRelativePath.split("/")[0]||this.chosen||"my-music";await this.studio.attempt(()=>this.studio.trainings.upload(s,t)),this.chosen=s}}function rr(o){let t=0;return o.samples.map(({url:e,step:s})=>(s===null&&(t+=1),{url:e,name:s===null?c.train.sample(t):c.train.sampleAt(s)}))}function lr(o){const t=c.train.found,e=s=>Object.entries(s).sort((i,n)=>n[1]-i[1]).slice(0,8).map(([i,n])=>`${i} (${n})`).join(", ");return p`<div class="check">
    <strong>${t.usable(o.accepted,o.files)}</strong>
    <dl>
      <dt>${t.music}</dt>
      <dd>${t.amount(o.notes,o.hours)}</dd>
      <dt>${t.instruments}</dt>
      <dd>${e(o.instruments)}</dd>
      <dt>${t.meters}</dt>
      <dd>${e(o.meters)}</dd>
      <dt>${t.grid}</dt>
      <dd>${Math.round(o.quantised*100)} %</dd>
    </dl>
    ${o.rejected.length===0?b:p`<details>
            <summary>${t.rejected(o.rejected.length)}</summary>
            <ul>
              ${o.rejected.map(({path:s,reason:i,message:n})=>p`<li>${s}: ${n??i??""}</li>`)}
            </ul>
          </details>`}
    ${o.duplicates.length===0?b:p`<details>
            <summary>${t.duplicates(o.duplicates.length)}</summary>
            <ul>
              ${o.duplicates.map(s=>p`<li>${s.join(", ")}</li>`)}
            </ul>
          </details>`}
  </div>`}H("toccata-train",ar);const ks=400,ys=20;class cr extends C{constructor(){super(...arguments),this.ontick=t=>this.showPosition(t)}static{this.styles=[P,L`
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
    `]}connectedCallback(){super.connectedCallback(),this.studio?.playing.ontick.add(this.ontick)}disconnectedCallback(){super.disconnectedCallback(),this.studio?.playing.ontick.delete(this.ontick)}updated(){this.studio.playing.ontick.add(this.ontick),this.showPosition(this.studio.playing.tick)}showPosition(t){const e=this.renderRoot.querySelector(".position"),s=this.studio.song?.bars.place(Math.max(0,t)),i=s?`${s.bar}.${s.beat}`:"1.1";e&&e.textContent!==i&&(e.textContent=i)}render(){const{studio:t}=this,{playing:e,song:s,recording:i}=t,n=s?Math.round(s.clock.quartersPerMinute(e.tick)*100)/100:120,a=e.loop!==null;return p` <button
        class="icon-only start"
        aria-label=${c.transport.start}
        title=${this.tip(c.transport.start,"start")}
        @click=${()=>t.playing.seek(0)}
      >
        ${A("start")}
      </button>
      <button
        class="icon-only play"
        aria-label=${e.playing?c.transport.stop:c.transport.play}
        title=${this.tip(e.playing?c.transport.stop:c.transport.play,"play")}
        @click=${()=>t.togglePlaying()}
      >
        ${A(e.playing?"stop":"play")}
      </button>
      ${this.toggle("record",c.transport.record,i.active,()=>{i.toggle()},"record","record")}
      ${this.toggle("loop",c.transport.loop,a,()=>t.toggleLoop(),"loop")}
      ${this.toggle("metronome",c.transport.metronome,e.metronome,()=>e.setMetronome(!e.metronome),"metronome")}
      <span class="position" role="img" aria-label=${c.transport.position}></span>
      <label class="tempo" title=${c.transport.tempo}
        ><span aria-hidden="true">${c.transport.bpm}</span>
        <input
          type="number"
          min=${ys}
          max=${ks}
          step="any"
          inputmode="decimal"
          aria-label=${c.transport.tempo}
          .value=${String(n)}
          ?disabled=${!s}
          @change=${this.setTempo}
      /></label>
      <button class="sound cut" title=${c.transport.soundNote} @click=${()=>t.set({dialog:"soundfont"})}>
        <span class="cut">${this.soundName()}</span>${this.builtIn?p`<span class="dash" aria-hidden="true">–</span><u>${c.transport.choose}</u>`:""}
      </button>`}get builtIn(){return this.soundName()===c.transport.builtIn}soundName(){return this.studio.playing.player.state.sound||c.transport.builtIn}toggle(t,e,s,i,n,a=""){return p`<button
      class="icon-only ${a}"
      aria-pressed=${s}
      aria-label=${e}
      title=${this.tip(e,n)}
      @click=${i}
    >
      ${A(t)}
    </button>`}tip(t,e){return`${t} (${_t(D(e),Tt)})`}setTempo(t){const{piece:e,playing:s}=this.studio,i=Number(T(t));if(!e||!(i>=ys&&i<=ks))return this.requestUpdate();const n=e.song.clock.changes.filter(([a])=>a<=s.tick);this.studio.edit([{type:"tempo",tick:n.at(-1)?.[0]??0,quartersPerMinute:i}])}}H("toccata-transport",cr);class hr extends C{constructor(){super(),this.firstKeydown=t=>this.key(t,!0),this.keydown=t=>this.key(t,!1),this.giveKeysBack=t=>{if(!(t instanceof PointerEvent)||t.detail===0)return;const e=t.composedPath().find(s=>s instanceof HTMLElement&&s.matches("button"));e instanceof HTMLElement&&!e.closest("dialog")&&e.blur()},this.dragover=t=>{t.dataTransfer?.types.includes("Files")&&(t.preventDefault(),this.dropping=!0)},this.dragleave=t=>{t.relatedTarget===null&&(this.dropping=!1)},this.drop=t=>{if(this.dropping=!1,!t.dataTransfer||t.defaultPrevented)return;t.preventDefault();const e=Hs(t.dataTransfer);this.studio.attempt(async()=>Ti(this.studio,await e))},this.dropping=!1}static{this.properties={...C.properties,dropping:{state:!0}}}static{this.styles=[P,L`
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
    `]}connectedCallback(){super.connectedCallback(),window.addEventListener("keydown",this.firstKeydown,{capture:!0}),window.addEventListener("keydown",this.keydown),window.addEventListener("dragover",this.dragover),window.addEventListener("dragleave",this.dragleave),window.addEventListener("drop",this.drop),window.addEventListener("dragend",this.dragleave),this.renderRoot.addEventListener("click",this.giveKeysBack)}disconnectedCallback(){super.disconnectedCallback(),window.removeEventListener("keydown",this.firstKeydown,{capture:!0}),window.removeEventListener("keydown",this.keydown),window.removeEventListener("dragover",this.dragover),window.removeEventListener("dragleave",this.dragleave),window.removeEventListener("drop",this.drop),window.removeEventListener("dragend",this.dragleave)}render(){const{studio:t}=this,{view:e}=t;if(this.dataset.tab=e.tab,t.fatal!==null)return p`<main class="fatal">
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
          ${["takes","train"].map(i=>p`<button
                role="tab"
                aria-selected=${s===i}
                @click=${()=>t.set({panel:i,tab:e.tab==="roll"||e.tab==="tracks"?e.tab:i})}
              >
                ${c.tabs[i]}
              </button>`)}
        </div>
        ${s==="takes"?p`<toccata-takes .studio=${t}></toccata-takes>`:p`<toccata-train .studio=${t}></toccata-train>`}
      </aside>
      <nav class="bottom">${["roll","tracks","takes","train"].map(i=>this.tab(i))}</nav>
      <toccata-dialogs .studio=${t}></toccata-dialogs>
      <toccata-messages .studio=${t}></toccata-messages>
      ${this.dropping?p`<div class="dropping">${c.library.dropHere}</div>`:b}`}toNotes(){const t=this.studio.roll;t instanceof HTMLElement&&t.focus()}bar(){const{studio:t}=this,{piece:e}=t;return p`<div class="left">
        ${this.button("library",c.bar.library,"library",()=>t.set({dialog:"library"}))}
        <input
          class="title"
          aria-label=${c.bar.title}
          .value=${e?.title??""}
          ?disabled=${!e}
          maxlength="200"
          @change=${s=>e&&void As(t,e.id,T(s))}
          @keydown=${s=>{(s.key==="Enter"||s.key==="Escape")&&s.target.blur()}}
        />
        ${this.button("undo",c.bar.undo,"undo",()=>{t.undo()},!e?.canUndo)}
        ${this.button("redo",c.bar.redo,"redo",()=>{t.redo()},!e?.canRedo)}
        ${e?p`<span class="saved ${e.saved}" title=${e.saved==="waiting"?c.bar.waitingWhy:c.bar[e.saved]}>${e.saved==="saved"?A("check"):b}<span class=${e.saved==="waiting"?"":"wide"}>${c.bar[e.saved]}</span></span>`:b}
      </div>
      <toccata-transport .studio=${t}></toccata-transport>
      <div class="right">
        <toccata-model-chooser class="wide" .studio=${t}></toccata-model-chooser>
        <button class="icon-only" aria-label=${c.bar.menu} title=${c.bar.menu} popovertarget="files">
          ${A("down")}
        </button>
        <div
          id="files"
          class="menu"
          popover
          @click=${s=>s.currentTarget.hidePopover()}
        >
          ${["midi","wav","png","reveal","star"].map(s=>p`<button @click=${()=>{Et.find(i=>i.id===s)?.run(t)}}>
                <span class="spread">${c.commands[s]}</span
                >${D(s)?p`<kbd>${_t(D(s),Tt)}</kbd>`:b}
              </button>`)}
        </div>
        <span class="wide row">${this.button("theme",c.bar.theme,"theme",()=>xs(t))}</span>
        ${this.button("more",c.bar.palette,"palette",()=>t.set({dialog:"palette"}))}
        <button
          class="icon-only"
          aria-label=${c.bar.help}
          title=${`${c.bar.help} (?)`}
          @click=${()=>t.set({dialog:"help"})}
        >
          <strong aria-hidden="true">?</strong>
        </button>
      </div>`}button(t,e,s,i,n=!1){return p`<button
      class="icon-only ${n?"unable":""}"
      aria-label=${e}
      title=${`${e} (${_t(D(s),Tt)})`}
      @click=${i}
    >
      ${A(t)}
    </button>`}tab(t){const{view:e}=this.studio;return p`<button
      aria-current=${e.tab===t?"page":b}
      @click=${()=>this.studio.set({tab:t,...t==="takes"||t==="train"?{panel:t}:{}})}
    >
      ${c.tabs[t]}
    </button>`}key(t,e){if(t.defaultPrevented||t.isComposing||this.studio.view.dialog!==null)return;const s=no(t),i=t.composedPath()[0];if(i instanceof HTMLElement&&(i.matches("input:not([type=checkbox]):not([type=range]), textarea, select")||i.isContentEditable)&&!["Ctrl+K","F1"].includes(s)||i instanceof HTMLElement&&i.matches("button, a, summary, input")&&(s==="Enter"||s==="Space"))return;const{studio:r}=this;if(r.view.picker&&e){if(s==="Esc")return r.set({picker:null}),t.preventDefault();if(/^[1-9]$/.test(s)&&Ga(r,Number(s)))return t.preventDefault()}const l=Vs(s,r.view.picker?"picker":r.ideas.chips.length>0?"ideas":"plain");!l||t.repeat&&!dr.has(l.id)||e&&l.context==="always"||(t.preventDefault(),l.run(r))}}const dr=new Set(["undo","redo","up","down","left","right","longer","shorter","louder","softer","zoomIn","zoomOut","nextNote","previousNote","rangeNext","rangePrevious","rangeMore","rangeLess"]);H("toccata-studio",hr);export{hr as App};

/** Turns pointer and wheel events into gestures. */

import type { Gesture, Point } from "./gesture";
import { Band, Draw, Erase, Move, Stretch, toggleNote } from "./gesture";
import type { Hit } from "./hit";
import { hitNote } from "./hit";
import type { Host } from "./host";
import { LanePaint, Pan, Pinch, PianoPress, RulerDrag } from "./strips";
import { Dirty } from "./stage";
import { pitchAt, tickAt, wheelPixels, wheelZoom, zoomed } from "./view";

/** A press that moves less, in CSS pixels, is a click. */
const CLICK = 3;
const COARSE_CLICK = 9;
/** The share of the distance outside the port by which it scrolls in a frame. */
const SCROLL_SHARE = 0.2;
const LEFT = 0;
const MIDDLE = 1;
const RIGHT = 2;

export class Pointers {
  private gesture: Gesture | null = null;
  private pinch: Pinch | null = null;
  private moved = false;
  private pressed: { id: number; event: PointerEvent; area: HTMLElement } | null = null;
  private readonly fingers = new Map<number, PointerEvent>();
  private scrolling = 0;

  constructor(
    private readonly host: Host,
    private readonly wrapper: HTMLElement,
  ) {
    const { stage } = host;
    for (const area of [stage.scroller, stage.ruler, stage.piano, stage.lane]) {
      area.addEventListener("pointerdown", (event) => this.down(event, area));
      area.addEventListener("pointermove", (event) => this.move(event));
      area.addEventListener("pointerup", (event) => this.up(event));
      area.addEventListener("pointercancel", (event) => this.lost(event));
      area.addEventListener("wheel", (event) => this.wheel(event, area), { passive: false });
    }
    stage.scroller.addEventListener("dblclick", (event) => this.doubleClick(event));
    stage.ruler.addEventListener("dblclick", (event) => this.chooseBar(event));
    stage.scroller.addEventListener("contextmenu", (event) => {
      if (host.state.tool === "draw") event.preventDefault();
    });
    stage.scroller.addEventListener("mousedown", (event) => {
      if (event.button === MIDDLE) event.preventDefault(); // no automatic scrolling
    });
  }

  /** A gesture is in progress. */
  get busy(): boolean {
    return this.gesture !== null;
  }

  cancel(): void {
    cancelAnimationFrame(this.scrolling);
    this.scrolling = 0;
    this.gesture?.cancel();
    this.gesture = null;
    this.pressed = null;
  }

  private point(event: MouseEvent): Point {
    const { view } = this.host.stage;
    const box = this.host.stage.port.getBoundingClientRect();
    const x = (event.clientX - box.left) * view.ratio;
    const inLane = this.pressed?.area === this.host.stage.lane;
    const top = inLane ? this.host.stage.lane.getBoundingClientRect().top : box.top;
    const y = (event.clientY - top) * view.ratio;
    return {
      x, y, tick: tickAt(view, x), pitch: pitchAt(view, y), alt: event.altKey, copy: event.ctrlKey || event.metaKey,
      shift: event.shiftKey, coarse: event instanceof PointerEvent && event.pointerType === "touch",
    };
  }

  private down(event: PointerEvent, area: HTMLElement): void {
    const onBar = area === this.host.stage.scroller && isOnScrollbar(event, area);
    if (onBar || !this.host.state.song) return;
    event.preventDefault();
    // The ring of the focus is for those who came by keys; a focus set by a script would show it.
    this.wrapper.toggleAttribute("data-pointer", true);
    this.wrapper.focus({ preventScroll: true });
    area.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") {
      this.fingers.set(event.pointerId, event);
      const [first, second] = [...this.fingers.values()];
      if (first && second) {
        this.cancel();
        this.pinch ??= new Pinch(this.host, this.point(first), this.point(second));
        return;
      }
    }
    if (this.gesture) return;
    this.host.state.walking = false;
    this.pressed = { id: event.pointerId, event, area };
    this.moved = false;
    this.gesture = this.begin(event, this.point(event), area);
    if (!this.gesture) this.pressed = null;
  }

  private begin(event: PointerEvent, point: Point, area: HTMLElement): Gesture | null {
    const { host } = this;
    if (event.button === MIDDLE) return new Pan(host, point, false);
    const erases = event.button === RIGHT && host.state.tool === "draw" && area === host.stage.scroller;
    if (erases) return new Erase(host, point);
    if (event.button !== LEFT) return null;
    if (area === host.stage.ruler) return new RulerDrag(host, point);
    if (area === host.stage.piano) return new PianoPress(host, point);
    if (area === host.stage.lane) return new LanePaint(host, point);
    const hit = hitNote(host.state, host.stage.view, point.x, point.y, point.coarse);
    // A finger that scrolls shall not move what it happens to begin on: it moves notes once they are selected.
    const passing = hit && point.coarse && host.state.tool === "select" && !isSelected(host, hit);
    if (passing) return new Pan(host, point, true, () => new Move(host, hit, point).end(point, false));
    if (hit) return hit.edge && !host.state.readonly ? new Stretch(host, hit, point) : new Move(host, hit, point);
    if (host.state.tool === "draw" && !host.state.readonly) return new Draw(host, point);
    if (point.coarse) return new Pan(host, point, true, () => host.select([]));
    return new Band(host, point);
  }

  private move(event: PointerEvent): void {
    if (this.fingers.has(event.pointerId)) this.fingers.set(event.pointerId, event);
    if (this.pinch) {
      const [first, second] = [...this.fingers.values()];
      if (first && second) this.pinch.move(this.point(first), this.point(second));
      return;
    }
    if (!this.gesture || event.pointerId !== this.pressed?.id) {
      if (!this.gesture && event.pointerType !== "touch") this.hover(event);
      return;
    }
    const start = this.pressed.event;
    const far = Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY);
    this.moved ||= far > (event.pointerType === "touch" ? COARSE_CLICK : CLICK);
    if (!this.moved) return;
    this.pressed = { ...this.pressed, event: this.pressed.event };
    this.gesture.move(this.point(event));
    this.scrollOutside(event);
  }

  private up(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    if (this.pinch) {
      if (this.fingers.size === 0) this.pinch = null;
      return;
    }
    if (!this.gesture || event.pointerId !== this.pressed?.id) return;
    const { gesture } = this;
    const point = this.point(event);
    cancelAnimationFrame(this.scrolling);
    this.scrolling = 0;
    this.gesture = null;
    this.pressed = null;
    gesture.end(point, this.moved);
  }

  private lost(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    if (this.fingers.size === 0) this.pinch = null;
    if (event.pointerId === this.pressed?.id) this.cancel();
  }

  /** While the pointer is outside, the port scrolls toward it and the gesture goes on. */
  private scrollOutside(event: PointerEvent): void {
    cancelAnimationFrame(this.scrolling);
    this.scrolling = 0;
    if (!this.gesture?.scrolls) return;
    const box = this.host.stage.scroller.getBoundingClientRect();
    const right = box.left + this.host.stage.scroller.clientWidth;
    const bottom = box.top + this.host.stage.scroller.clientHeight;
    const x = Math.min(0, event.clientX - box.left) + Math.max(0, event.clientX - right);
    const inPort = this.pressed?.area === this.host.stage.scroller;
    const y = inPort ? Math.min(0, event.clientY - box.top) + Math.max(0, event.clientY - bottom) : 0;
    if (x === 0 && y === 0) return;
    this.scrolling = requestAnimationFrame(() => {
      const { stage } = this.host;
      const before = stage.view;
      stage.scrollBy(x * SCROLL_SHARE * before.ratio, y * SCROLL_SHARE * before.ratio);
      if (stage.view.left === before.left && stage.view.top === before.top) return;
      this.gesture?.move(this.point(event));
      this.scrollOutside(event);
    });
  }

  private hover(event: PointerEvent): void {
    const { host } = this;
    if (event.currentTarget !== host.stage.scroller) return;
    const { x, y } = this.point(event);
    const hit = hitNote(host.state, host.stage.view, x, y, false);
    const locked = hit && host.state.locks.has(hit.track, hit.note[0], hit.note[2]);
    const over = locked ? "not-allowed" : host.state.readonly ? "default" : hit?.edge ? "ew-resize" : hit ? "grab" : "";
    host.stage.scroller.style.cursor = over || (host.state.tool === "draw" ? "crosshair" : "default");
  }

  private doubleClick(event: MouseEvent): void {
    const { state, stage } = this.host;
    if (state.tool === "select" && !isOnScrollbar(event, stage.scroller)) toggleNote(this.host, this.point(event));
  }

  /** A double click in the ruler chooses the one bar. */
  private chooseBar(event: MouseEvent): void {
    const { state, stage } = this.host;
    if (!state.song) return;
    const bar = state.song.bars.at(Math.max(0, this.point(event).tick));
    state.range = [bar, bar];
    stage.invalidate(Dirty.ruler | Dirty.overlay);
    this.host.emit("range", { range: state.range });
  }

  private wheel(event: WheelEvent, area: HTMLElement): void {
    const { stage } = this.host;
    const by = wheelPixels(event, stage.view.height / stage.view.ratio);
    const { x, y } = this.point(event);
    const turn = by.y || by.x;
    if (event.ctrlKey || event.metaKey) stage.setView(zoomed(stage.view, wheelZoom(turn), 1, x, 0));
    else if (event.altKey) stage.setView(zoomed(stage.view, 1, wheelZoom(turn), 0, y));
    else if (event.shiftKey) stage.scrollBy((by.x || by.y) * stage.view.ratio, 0);
    else if (area !== stage.scroller) stage.scrollBy(by.x * stage.view.ratio, by.y * stage.view.ratio);
    else return; // the browser scrolls, as smoothly as elsewhere
    event.preventDefault();
  }
}

function isSelected(host: Host, { track, note }: Hit): boolean {
  return host.state.selection.has(track, note[0], note[2]);
}

function isOnScrollbar(event: MouseEvent, area: HTMLElement): boolean {
  const box = area.getBoundingClientRect();
  return event.clientX - box.left >= area.clientWidth || event.clientY - box.top >= area.clientHeight;
}

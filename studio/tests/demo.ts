/** The roll alone on a page: for looking at it, and for the tests that use a real mouse. Not shipped. */

import type { Note, Operation, Song } from "../src/protocol";
import { GrowingIdea } from "../src/music/idea";
import { NoteSet } from "../src/music/sets";
import { notesOf, SongData } from "../src/music/song";
import "../src/roll/element";
import type { ToccataRoll } from "../src/roll/element";
import type { RollEvents } from "../src/roll/roll";

interface Seen {
  name: string;
  detail: unknown;
}

class Demo {
  readonly roll: ToccataRoll;
  readonly seen: Seen[] = [];
  readonly GrowingIdea = GrowingIdea;
  readonly NoteSet = NoteSet;
  private readonly undo: Operation[][] = [];

  constructor(place: HTMLElement) {
    this.roll = document.createElement("toccata-roll");
    place.append(this.roll);
    const names: (keyof RollEvents)[] = ["edit", "select", "range", "lock", "sound", "seek", "loop", "describe", "copied"];
    for (const name of names) {
      this.roll.addEventListener(name, (event) => this.seen.push({ name, detail: (event as CustomEvent).detail }));
    }
    this.roll.addEventListener("edit", (event) => {
      const { operations } = (event as CustomEvent<RollEvents["edit"]>).detail;
      const song = this.roll.song as SongData;
      this.undo.push(song.inverse(operations));
      this.roll.song = song.apply(operations);
    });
  }

  load(song: Song): void {
    this.roll.song = SongData.from(song);
  }

  /** Take the last edit back. */
  back(): void {
    const operations = this.undo.pop();
    if (operations) this.roll.song = (this.roll.song as SongData).apply(operations);
  }

  notes(): Record<string, Note[]> {
    return this.roll.song ? Object.fromEntries(notesOf(this.roll.song)) : {};
  }
}

declare global {
  interface Window {
    demo: Demo;
  }
}

const place = document.querySelector("main");
if (place) window.demo = new Demo(place);

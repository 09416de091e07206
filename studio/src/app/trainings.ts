/** Music for training, and the trainings of models. */

import type { MusicCheck, MusicFolder, NewTraining } from "../api";
import type { Training } from "../protocol";
import { T } from "../strings";
import type { Studio } from "./studio";

export class Trainings {
  list: Training[] = [];
  music: MusicFolder[] = [];
  uploading: { done: number; all: number } | null = null;
  checks = new Map<string, MusicCheck | "running">();

  constructor(private readonly studio: Studio) {}

  adopt(list: Training[]): void {
    this.list = list;
  }

  onEvent(training: Training): void {
    const old = this.list.find((other) => other.id === training.id);
    this.list = old ? this.list.map((other) => (other === old ? training : other)) : [training, ...this.list];
    // A finished training is a model that can be chosen.
    if (training.state === "finished" && old?.state !== "finished")
      void this.studio.attempt(() => this.studio.refresh());
    this.studio.changed();
  }

  async loadMusic(): Promise<void> {
    this.music = await this.studio.api.music();
    this.studio.changed();
  }

  /** Copy MIDI files into the library; other files among them are left out. */
  async upload(name: string, files: readonly File[]): Promise<void> {
    const midi = files.filter((file) => /\.(mid|midi|kar|rmi)$/i.test(file.name));
    if (midi.length === 0) throw new Error(T.train.notMidi);
    this.uploading = { done: 0, all: midi.length };
    this.studio.changed();
    try {
      for (const file of midi) {
        await this.studio.api.upload(name, file.webkitRelativePath || file.name, file);
        this.uploading = { done: this.uploading.done + 1, all: midi.length };
        this.studio.changed();
      }
    } finally {
      this.uploading = null;
      await this.loadMusic();
    }
    await this.check(name);
  }

  async check(name: string): Promise<void> {
    this.checks.set(name, "running");
    this.studio.changed();
    try {
      this.checks.set(name, await this.studio.api.check(name));
    } catch (error) {
      this.checks.delete(name);
      throw error;
    } finally {
      this.studio.changed();
    }
  }

  async begin(training: NewTraining): Promise<void> {
    const begun = await this.studio.api.train(training);
    this.onEvent(begun);
    this.studio.announcer.say(T.train.started(training.name));
  }
}

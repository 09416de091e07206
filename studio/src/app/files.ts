/** Files in and out, and the acts of the library and of the tree of takes. */

import { ApiError } from "../api";
import type { PieceSummary, Take } from "../protocol";
import { T } from "../strings";
import type { Studio } from "./studio";

/** Hand a file to the browser's downloads. */
export function download(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A file name that every system takes. */
export function fileName(title: string, kind: string): string {
  const safe = title
    .replace(/[^\p{L}\p{N} ._-]+/gu, " ")
    .trim()
    .slice(0, 80);
  return `${safe || "piece"}.${kind}`;
}

export async function downloadTake(studio: Studio, take: string, kind: "mid" | "wav" | "png"): Promise<void> {
  const title = studio.piece?.title ?? "";
  await studio.attempt(async () => {
    await studio.piece?.based(async () => undefined); // what is on its way belongs into the file
    download(fileName(title, kind), await studio.api.file(take, kind));
  });
}

/** The idea that is heard, or else what is on screen. */
export function shownTake(studio: Studio): string | null {
  const idea = studio.ideas.current?.take;
  return (idea && idea.state !== "growing" ? idea.id : studio.piece?.take) ?? null;
}

export const isMidi = (file: File): boolean => /\.(mid|midi|kar|rmi)$/i.test(file.name);

/** Let the user choose MIDI files, and open them. */
export async function openFiles(studio: Studio): Promise<void> {
  await importFiles(studio, await chooseFiles(".mid,.midi,.kar,.rmi,audio/midi", true, false));
}

const MOST_AT_ONCE = 100;

/** Open MIDI files, each as a new piece; the first of them is shown. */
export async function importFiles(studio: Studio, files: readonly File[]): Promise<void> {
  const [other] = files;
  const all = files.filter(isMidi);
  const music = all.slice(0, MOST_AT_ONCE);
  if (music.length === 0) return other && studio.notices.error(new Error(T.library.notMidi(other.name)));
  let shown = false;
  let opened = 0;
  for (const file of music) {
    await studio.attempt(async () => {
      const title = file.name.replace(/\.[^.]+$/, "");
      const made = await studio.api.importPiece(title, file).catch((error: unknown) => {
        throw error instanceof ApiError ? new Error(T.library.notOpened(file.name, error.message, error.status)) : error;
      });
      opened += 1;
      if (shown) return;
      shown = true;
      studio.show(made);
      studio.set({ dialog: null, tab: "roll" });
      studio.announcer.say(T.library.opened(title));
    });
  }
  if (all.length > music.length) studio.notices.error(new Error(T.library.tooMany(music.length, all.length)));
  if (opened > 1) studio.notices.say(T.library.openedAll(opened));
  if (shown) await studio.attempt(() => studio.refresh());
}

export async function newPiece(studio: Studio, title: string, tempo: number, meter: [number, number]): Promise<void> {
  await studio.attempt(async () => {
    studio.show(await studio.api.newPiece(title.trim() || T.library.untitled, tempo, meter));
    studio.set({ dialog: null, tab: "roll" });
    await studio.refresh();
  });
}

/** Begin a piece with ideas for it, in a style that the model knows or in any. */
export async function writeNew(studio: Studio, style: string): Promise<void> {
  await newPiece(studio, "", 100, [4, 4]);
  if (!studio.piece || studio.view.dialog !== null) return; // it could not be made
  studio.set({ options: { ...studio.view.options, style } });
  studio.press("continue");
}

export async function renamePiece(studio: Studio, id: string, title: string): Promise<void> {
  const name = title.trim();
  const piece = studio.piece?.id === id ? studio.piece : null;
  const before = piece?.title ?? "";
  if (name === "" || name === before) return studio.changed();
  await studio.attempt(async () => {
    show(name);
    try {
      await studio.api.renamePiece(id, name);
    } catch (error) {
      show(before);
      throw error;
    }
    await studio.refresh();
  });

  /** At once: the field would show the old one until the server has answered. */
  function show(shown: string): void {
    if (piece) piece.title = shown;
    studio.changed();
  }
}

export async function deletePiece(studio: Studio, piece: PieceSummary): Promise<void> {
  const open = studio.piece?.id === piece.id;
  await studio.attempt(async () => {
    await studio.api.deletePiece(piece.id);
    await studio.refresh();
    if (open) await studio.showAnother();
    const undo = async (): Promise<void> => {
      await studio.api.restorePiece(piece.id);
      await studio.refresh();
      if (open) await studio.openPiece(piece.id);
    };
    studio.notices.say(T.library.deleted(piece.title), {
      label: T.library.undo,
      run: () => studio.attempt(undo),
    });
  });
}

export async function changeTake(
  studio: Studio,
  take: Take,
  change: { title?: string; star?: boolean },
): Promise<void> {
  await studio.attempt(async () => {
    studio.piece?.put(await studio.api.changeTake(take.id, change));
  });
}

export async function deleteTake(studio: Studio, take: Take): Promise<void> {
  await studio.attempt(async () => {
    await studio.api.deleteTake(take.id);
    studio.piece?.put({ ...take, deleted: true });
    studio.notices.say(T.takes.deleted(take.title || T.takes.untitled), {
      label: T.takes.undo,
      run: () =>
        studio.attempt(async () => {
          await studio.api.restoreTake(take.id);
          studio.piece?.put({ ...take, deleted: false });
        }),
    });
  });
}

/** Choose files of the user's machine. */
export function chooseFiles(accept: string, many: boolean, folder: boolean): Promise<File[]> {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = accept;
    input.multiple = many;
    input.webkitdirectory = folder;
    input.addEventListener("change", () => resolve([...(input.files ?? [])]));
    input.addEventListener("cancel", () => resolve([]));
    input.click();
  });
}

/** All files of what was dropped, those in folders included. */
export async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  // All has to be taken out at once: after the event there is nothing in it any more.
  const items = [...transfer.items].map((item) => ({ file: item.getAsFile(), entry: item.webkitGetAsEntry() }));
  if (items.length === 0) return [...transfer.files];
  const found: File[] = [];
  for (const { file, entry } of items) {
    if (entry?.isDirectory) await collect(entry, found);
    else if (file) found.push(file);
  }
  return found;
}

async function collect(entry: FileSystemEntry, found: File[]): Promise<void> {
  if (entry.isFile) {
    found.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
  } else if (entry.isDirectory) {
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const each of some) await collect(each, found);
    }
  }
}

const SOUND = "toccata.sound";

/** Use the library's SoundFont, and again whenever the page is opened. */
export async function useLibrarySound(studio: Studio): Promise<void> {
  const font = studio.server?.soundfont;
  if (!font) return;
  const used = await useSoundFont(studio, font.name, () => studio.api.soundFont());
  if (used) studio.stores.local.setItem(SOUND, "library");
}

export function useBuiltInSound(studio: Studio): void {
  studio.playing.player.useBuiltIn();
  studio.stores.local.removeItem(SOUND);
}

/** The sound that was chosen before, from the first touch on: earlier no page may sound. */
export function rememberSound(studio: Studio): void {
  if (studio.stores.local.getItem(SOUND) !== "library") return;
  const once = (): void => {
    window.removeEventListener("pointerdown", once);
    window.removeEventListener("keydown", once);
    void useLibrarySound(studio);
  };
  window.addEventListener("pointerdown", once);
  window.addEventListener("keydown", once);
}

/** Answers whether it is in use: it may not be one, and another sound may be chosen while it is loaded. */
export async function useSoundFont(studio: Studio, name: string, load: () => Promise<ArrayBuffer>): Promise<boolean> {
  const used = await studio.attempt(() => studio.playing.player.useSoundFont(name, load()));
  if (used) studio.announcer.say(T.notices.soundFont(name));
  studio.changed();
  return used ?? false;
}

export function setTheme(studio: Studio, theme: "system" | "light" | "dark"): void {
  studio.set({ theme });
  studio.view.remember("theme", theme);
  applyTheme(theme);
}

export function applyTheme(theme: "system" | "light" | "dark"): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

export function toggleTheme(studio: Studio): void {
  const { theme } = studio.view;
  const dark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  setTheme(studio, dark ? "light" : "dark");
}

/** Comparing another take with what is on screen, by ear. */

import type { IdeaLayer } from "../music/music";
import { SongData } from "../music/song";
import { T } from "../strings";
import { layerBetween } from "./layers";
import type { Studio } from "./studio";

export class Comparing {
  private other: { take: string; song: SongData } | null = null;
  private made: IdeaLayer | null = null;
  /** The take that was asked for last: answers of the server can overtake one another. */
  private wanted: string | null = null;

  constructor(private readonly studio: Studio) {}

  /** What is drawn and heard above the song; null while what is on screen is heard. */
  get layer(): IdeaLayer | null {
    const { compare } = this.studio.view;
    return compare?.heard && compare.take === this.other?.take ? this.made : null;
  }

  /** Compare with a take; `heard`: whether that is heard, or what is on screen. */
  async with(take: string, heard: boolean): Promise<void> {
    const { studio } = this;
    const { piece } = studio;
    this.wanted = take;
    if (studio.view.compare?.take !== take) {
      const song = SongData.from(await studio.api.song(take));
      if (this.wanted !== take || studio.piece !== piece || !piece) return;
      this.other = { take, song };
      this.again();
      const silent = unheard(piece.song, song, this.made);
      if (silent) studio.notices.say(silent);
    }
    studio.set({ compare: { take, heard } });
  }

  /** The song on screen is another. */
  again(): void {
    const { song } = this.studio;
    this.made = song && this.other ? layerBetween(this.other.take, song, this.other.song) : null;
  }

  end(): void {
    this.wanted = null;
    this.other = null;
    this.made = null;
    this.studio.set({ compare: null });
  }
}

/** What differs between two takes and is not heard in the comparison, in one line. */
function unheard(song: SongData, other: SongData, layer: IdeaLayer | null): string | null {
  const ticks = [...song.clock.changes, ...other.clock.changes].map(([tick]) => tick);
  const differs = ticks.some((tick) => song.clock.quartersPerMinute(tick) !== other.clock.quartersPerMinute(tick));
  if (differs) return T.takes.otherTempo;
  return layer && layer.added.size + layer.removed.size === 0 ? T.takes.sameNotes : null;
}

/** All English of the roll: names of edits, and what its parts are called. How a note is said is in describe.ts. */

export const WORDS = {
  notes: "Notes",
  roll: "piano roll",
  noNote: "no note chosen",
  velocity: "velocity",
  move: "Move",
  copy: "Copy",
  stretch: "Stretch",
  shorten: "Shorten",
  remove: "Delete",
  draw: "Draw",
  cut: "Cut",
  paste: "Paste",
  duplicate: "Duplicate",
  quantise: "Quantise",
  louder: "Louder",
  softer: "Softer",
  changeVelocity: "Change velocity",
} as const;

/** The name of an edit of so many notes. */
export function edited(verb: string, count: number): string {
  return count === 1 ? `${verb} a note` : `${verb} ${count} notes`;
}

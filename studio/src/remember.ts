/** Store what is a convenience only: where the browser has no room for it, it is not there the next time. */
export function remember(store: Pick<Storage, "setItem">, key: string, value: string): void {
  try {
    store.setItem(key, value);
  } catch {
    // Full, or forbidden.
  }
}

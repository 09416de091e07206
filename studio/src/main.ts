/** Starts the page: takes the token from the address, connects to the server, shows the last piece. */

import { Api, takeToken } from "./api";
import type { App } from "./app/app";
import { applyTheme, rememberSound } from "./app/files";
import { Studio } from "./app/studio";
import { createPlayer } from "./sound";

const token = takeToken(location, sessionStorage, history);
const studio = new Studio(new Api(token), createPlayer(), { session: sessionStorage, local: localStorage });
applyTheme(studio.view.theme);

// The new address of a server that was started again, opened in this tab: the page goes on where it was.
window.addEventListener("hashchange", () => {
  const renewed = takeToken(location, sessionStorage, history);
  if (studio.fatal !== null) location.reload();
  else studio.api.use(renewed);
});
window.addEventListener("beforeunload", (event) => {
  if (studio.unsaved) event.preventDefault();
});

// The element is upgraded only now that the state it shows is there.
const page = document.querySelector<App>("toccata-studio");
if (page) page.studio = studio;
void import("./app/app").then(() => studio.start()).then(() => rememberSound(studio));

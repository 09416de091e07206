"use strict";

// A share of trials and its 95 % interval after Wilson (1927), as toccata.measure.resampling.wilson has it.
function wilson(successes, trials) {
  if (trials === 0) return { value: 0.5, low: 0, high: 1 };
  const z = 1.959963984540054;
  const share = successes / trials;
  const middle = (share + (z * z) / (2 * trials)) / (1 + (z * z) / trials);
  const spread = Math.sqrt((share * (1 - share)) / trials + (z * z) / (4 * trials * trials));
  const half = (z / (1 + (z * z) / trials)) * spread;
  return { value: share, low: Math.max(0, Math.min(share, middle - half)), high: Math.min(1, Math.max(share, middle + half)) };
}

// The answer key: two texts in base64 whose bytes, combined, are JSON in UTF-8.
function unmasked(mask, masked) {
  const one = atob(mask);
  const bytes = Uint8Array.from(atob(masked), (character, at) => character.charCodeAt(0) ^ one.charCodeAt(at));
  return JSON.parse(new TextDecoder().decode(bytes));
}

// What the answers come to. key.left says for each pair which system, 0 or 1, is on the left.
function counted(key, answers) {
  const wins = [0, 0];
  let none = 0;
  const each = answers.map((answer, pair) => {
    const left = key.left[pair];
    const preferred = answer.choice === "none" ? null : answer.choice === "left" ? left : 1 - left;
    if (preferred === null) none += 1;
    else wins[preferred] += 1;
    return {
      pair: pair + 1,
      choice: answer.choice,
      seconds: answer.seconds,
      left: key.systems[left],
      right: key.systems[1 - left],
      pieces: key.pieces[pair],
      preferred: preferred === null ? null : key.systems[preferred],
    };
  });
  return { systems: key.systems, wins, none, preference: wilson(wins[0], wins[0] + wins[1]), answers: each };
}

function start() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const memory = "toccata-listening-" + document.body.dataset.page;
  const sides = ["left", "right"].map((name) => ({ name, box: document.getElementById(name), audio: new Audio() }));
  let answers = remembered();
  let began = Date.now();

  function remembered() {
    try {
      const found = JSON.parse(localStorage.getItem(memory) || "[]");
      return Array.isArray(found) ? found.slice(0, data.pairs.length) : [];
    } catch {
      return []; // a browser may forbid it: the test goes on without
    }
  }

  function remember() {
    try {
      localStorage.setItem(memory, JSON.stringify(answers));
    } catch {
      // As above.
    }
  }

  function stop() {
    for (const side of sides) {
      side.audio.pause();
      side.audio.onended = null;
      side.box.classList.remove("playing");
    }
  }

  function play(number, then) {
    stop();
    const side = sides[number];
    side.audio.currentTime = 0;
    side.audio.onended = () => {
      stop();
      if (then) then();
    };
    side.box.classList.add("playing", "heard");
    side.audio.play().catch(stop);
    allow();
  }

  function allow() {
    const heard = sides.every((side) => side.box.classList.contains("heard"));
    for (const button of document.querySelectorAll("[data-answer]")) button.disabled = !heard;
    return heard;
  }

  function answer(choice) {
    if (answers.length >= data.pairs.length || !allow()) return;
    answers.push({ choice, seconds: Math.round((Date.now() - began) / 1000) });
    remember();
    show();
  }

  function back() {
    answers.pop();
    remember();
    show();
  }

  function show() {
    stop();
    began = Date.now();
    const over = answers.length >= data.pairs.length;
    document.getElementById("test").hidden = over;
    document.getElementById("result").hidden = !over;
    document.getElementById("progress").textContent = over
      ? "All " + data.pairs.length + " pairs are answered. Thank you."
      : "Pair " + (answers.length + 1) + " of " + data.pairs.length;
    if (over) return result();
    const pair = data.pairs[answers.length];
    for (const side of sides) {
      side.audio.src = pair[side.name];
      side.box.classList.remove("heard");
      side.box.querySelector(".roll").innerHTML = pair[side.name + "_roll"] || "";
    }
    allow();
  }

  function found() {
    const counts = counted(unmasked(data.mask, data.key), answers);
    return { format: 1, page: document.body.dataset.page, seed: data.seed, ...counts };
  }

  function result() {
    const { systems, wins, none, preference } = found();
    const percent = (share) => Math.round(100 * share) + " %";
    const rows = [[systems[0], wins[0]], [systems[1], wins[1]], ["no preference", none]];
    document.querySelector("#result tbody").replaceChildren(
      ...rows.map((row) => {
        const line = document.createElement("tr");
        line.append(...row.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
        return line;
      }),
    );
    const total = wins[0] + wins[1];
    document.getElementById("interval").textContent = total
      ? systems[0] + " was preferred in " + percent(preference.value) + " of the " + total +
        " pairs with a preference (95 %: " + percent(preference.low) + " to " + percent(preference.high) + ")."
      : "There was no preference.";
  }

  function download() {
    const file = new Blob([JSON.stringify(found(), null, 2) + "\n"], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = "listening-" + document.body.dataset.page + ".json";
    link.click();
    URL.revokeObjectURL(link.href);
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (answers.length >= data.pairs.length) return;
    const choice = { 1: "left", 2: "right", 0: "none" }[event.key];
    if (choice) answer(choice);
    else if (event.key === "ArrowLeft") play(0);
    else if (event.key === "ArrowRight") play(1);
    else if (event.key === "Backspace") back();
    else if (event.key === " ") sides.some((side) => !side.audio.paused) ? stop() : play(0, () => play(1));
    else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", key);
  sides.forEach((side, number) => {
    side.box.querySelector(".play").addEventListener("click", () => (side.audio.paused ? play(number) : stop()));
  });
  for (const button of document.querySelectorAll("[data-answer]")) {
    button.addEventListener("click", () => answer(button.dataset.answer));
  }
  document.getElementById("download").addEventListener("click", download);
  document.getElementById("again").addEventListener("click", () => {
    answers = [];
    remember();
    show();
  });
  show();
}

if (typeof document !== "undefined") start();

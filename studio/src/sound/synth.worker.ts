/** The SoundFont synthesizer in a thread of its own: samples are decoded where they cannot hold up the sound. */

import { WorkerSynthesizerCore } from "spessasynth_lib";

interface Beginning {
  sampleRate: number;
  initialTime: number;
}

type Message = Parameters<WorkerSynthesizerCore["handleMessage"]>[0];

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<Message>) => void) | null;
  addEventListener(type: "message", listener: (event: MessageEvent<Beginning>) => void, options: { once: true }): void;
  postMessage(message: unknown, transfer?: Transferable[]): void;
};

// The first message says how to begin, and brings the port to the worklet that plays.
scope.addEventListener(
  "message",
  (beginning) => {
    const [port] = beginning.ports;
    if (port === undefined) return;
    const core = new WorkerSynthesizerCore(beginning.data, port, scope.postMessage.bind(scope) as Worker["postMessage"]);
    scope.onmessage = (event) => core.handleMessage(event.data);
  },
  { once: true },
);

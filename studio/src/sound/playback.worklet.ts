/** Plays the blocks that the SoundFont synthesizer sends from its worker, and says how far behind its clock they play. */

declare const currentFrame: number;
declare const registerProcessor: (name: string, processor: new () => unknown) => void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

const BLOCK = 128;
const QUEUE = 16; // blocks: about 45 ms
const STEREO_PAIRS = 17;

class Playback extends AudioWorkletProcessor {
  private blocks: Float32Array[] = [];
  private source: MessagePort | null = null;
  private asked = true;
  private alive = true;
  private played = 0;
  private shift = -1;

  constructor() {
    super();
    this.port.onmessage = (event: MessageEvent<unknown>) => {
      const [port] = event.ports;
      if (port === undefined) return;
      this.source = port;
      port.onmessage = ({ data }: MessageEvent<Float32Array | null>) => this.receive(data);
    };
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const block = this.blocks.shift();
    if (block === undefined) return this.alive;
    const shift = currentFrame - this.played * BLOCK;
    if (shift !== this.shift) {
      this.shift = shift;
      this.port.postMessage({ type: "shift", frames: shift });
    }
    this.played += 1;
    // All go into the first output: it comes from the worker with effects and channels apart.
    const [left, right] = outputs[0] ?? [];
    if (left === undefined || right === undefined) return this.alive;
    for (let pair = 0; pair < STEREO_PAIRS; pair++) {
      const at = pair * 2 * BLOCK;
      for (let n = 0; n < BLOCK; n++) {
        left[n] = (left[n] ?? 0) + (block[at + n] ?? 0);
        right[n] = (right[n] ?? 0) + (block[at + BLOCK + n] ?? 0);
      }
    }
    this.ask();
    return this.alive;
  }

  private receive(block: Float32Array | null): void {
    if (block === null) {
      this.alive = false;
      return;
    }
    this.blocks.push(block);
    this.asked = false;
    if (this.blocks.length < QUEUE) this.ask();
  }

  private ask(): void {
    if (this.asked) return;
    this.asked = true;
    this.source?.postMessage(null);
  }
}

// The library makes a node of this name.
registerProcessor("spessasynth-playback-worklet-processor", Playback);

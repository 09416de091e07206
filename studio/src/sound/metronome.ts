/** The metronome's clicks: two short tones, the higher one on the first beat of a bar. */

export class Metronome {
  private clicks: { gain: GainNode; source: OscillatorNode; end: number }[] = [];

  constructor(
    private readonly context: BaseAudioContext,
    private readonly destination: AudioNode,
  ) {}

  click(accent: boolean, at: number): void {
    const start = Math.max(at, this.context.currentTime);
    const gain = this.context.createGain();
    const source = this.context.createOscillator();
    source.frequency.value = accent ? 1760 : 1175;
    gain.gain.value = 0;
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(accent ? 0.3 : 0.18, start + 0.002);
    gain.gain.setTargetAtTime(0, start + 0.002, 0.012);
    source.connect(gain).connect(this.destination);
    source.start(start);
    source.stop(start + 0.1);
    source.onended = () => gain.disconnect();
    this.clicks = this.clicks.filter((click) => click.end > this.context.currentTime);
    this.clicks.push({ gain, source, end: start + 0.1 });
  }

  silence(): void {
    for (const { gain } of this.clicks) gain.disconnect();
    this.clicks = [];
  }
}

"""The sound of the page in a real browser: what it renders, that it plays, stops, and takes a SoundFont over.

The page is built by vite as the studio is, and served with the studio's content security policy.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import browsers
import pytest

STUDIO = Path(__file__).parents[2] / "studio"
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'"
)
SCALE = [[0, 480, 60, 90], [480, 480, 64, 90], [960, 480, 67, 90], [1440, 480, 72, 90], [1920, 1920, 60, 90]]
SONG = {"bars": 2, "tracks": {"piano": {"notes": SCALE}, "drums": {"drum": True, "notes": [[0, 120, 36, 100]]}}}
LOW_MIDDLE_HIGH = (40, 60, 88)


class Handler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    vite = STUDIO / "node_modules" / ".bin" / "vite"
    if not vite.exists() or shutil.which("node") is None:
        pytest.skip("the page's build tools are not installed: npm ci in studio/")  # node is no requirement
    out = tmp_path_factory.mktemp("sound")
    command = [vite, "build", "--config", "tests/browser/vite.config.ts", "--outDir", out, "--logLevel", "error"]
    subprocess.run(command, cwd=STUDIO, check=True, timeout=120)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(out)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if reason := browsers.why_not():
        pytest.skip(reason)  # a browser is no requirement of the tests
    with browsers.browser(browsers.AT_ONCE, "--host-resolver-rules=MAP lan.test 127.0.0.1") as running:
        yield running


@contextmanager
def opened(browser: Any, address: str, **options: Any) -> Iterator[Any]:
    context = browser.new_context(**options)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    page.goto(address)
    until(page, "window.tools")
    page.evaluate("song => tools.player.setSong(tools.song(song))", SONG)
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    with opened(browser, address) as page:
        yield page


def until(page: Any, condition: str, seconds: float = 20) -> None:
    """Wait for a condition; by a function of its own, as the policy permits no evaluated strings."""
    page.evaluate(
        """() => new Promise((met, late) => {
            const begun = performance.now();
            const look = () => {
                if (CONDITION) met();
                else if (performance.now() - begun > LIMIT) late(new Error('never: CONDITION'));
                else setTimeout(look, 5);
            };
            look();
        })""".replace("CONDITION", condition).replace("LIMIT", str(1000 * seconds))
    )


def measured(page: Any, strokes: list[list[Any]], seconds: float, polyphony: int = 1000) -> dict[str, Any]:
    sound: dict[str, Any] = page.evaluate("([s, t, p]) => tools.measure(s, t, p)", [strokes, seconds, polyphony])
    return sound


def sounds(measure: dict[str, Any], step: float = 0.3) -> bool:
    """Whether there is a sound, and a decent one: it is heard, finite, not clipped, without clicks."""
    return bool(measure["finite"] and measure["rms"] > 2e-3 and measure["peak"] < 0.98 and measure["step"] < step)


def test_every_program_sounds(page: Any) -> None:
    bad = {}
    for program in range(128):
        strokes = [
            [1, program, False, pitch, 100, 0.05 + 0.4 * n, 0.35 + 0.4 * n] for n, pitch in enumerate(LOW_MIDDLE_HIGH)
        ]
        measure = measured(page, strokes, 1.6)
        if not sounds(measure):
            bad[program] = measure
    assert bad == {}


def test_families_are_about_as_loud_as_each_other(page: Any) -> None:
    """A held C at the same velocity, over half a second: within 7 dB of one another."""
    levels = {
        program: measured(page, [[1, program, False, 60, 90, 0.0, 0.5]], 0.5)["rms"]
        for program in (0, 6, 11, 19, 21, 25, 33, 40, 48, 52, 56, 65, 71, 73, 80, 81, 89)
    }
    assert max(levels.values()) / min(levels.values()) < 2.3, levels


@pytest.mark.parametrize("drum", [False, True])
def test_volume_and_pan_of_a_file_are_heard(page: Any, drum: bool) -> None:
    def sides(**mix: int) -> tuple[float, float]:
        left, right = page.evaluate("(instrument) => tools.sides(instrument)", {"program": 48, "drum": drum, **mix})
        return left, right

    usual, soft, silent = (sum(sides(pan=64, volume=volume)) for volume in (100, 50, 0))
    assert soft == pytest.approx(usual / 4, rel=0.01)
    assert silent == 0
    assert sum(sides(pan=64)) == pytest.approx(usual, rel=0.01)
    if not drum:  # a kit has places of its own
        assert sides(pan=0)[1] < 0.01 * sides(pan=0)[0]
        assert sides(pan=127)[0] < 0.01 * sides(pan=127)[1]
        assert sides(pan=64)[0] == pytest.approx(sides(pan=64)[1], rel=0.01)


def test_every_drum_sounds(page: Any) -> None:
    bad = {}
    for key in range(27, 88):
        measure = measured(page, [[1, 0, True, key, 110, 0.05, 0.1]], 0.4)
        if not sounds(measure, step=0.8):  # noise is nothing but steps
            bad[key] = measure
    assert bad == {}


def test_many_loud_notes_are_limited_and_not_clipped(page: Any) -> None:
    strokes = [[n, (0, 48, 56)[n % 3], False, 36 + n, 127, 0.05, 1.5] for n in range(48)]
    measure = measured(page, strokes, 2)
    assert measure["finite"]
    assert measure["peak"] <= 1.0


def test_notes_that_make_room_for_others_go_without_a_click(page: Any) -> None:
    strokes = [[1, 0, False, 40 + n % 40, 100, 0.05 + 0.02 * n, 4.0] for n in range(120)]
    assert sounds(measured(page, strokes, 4.2, 16))


def test_a_note_taken_back_before_its_time_is_not_heard(page: Any) -> None:
    assert measured(page, [[1, 0, False, 60, 100, 0.5, 0.4]], 1)["peak"] < 1e-6


def test_silence_comes_within_milliseconds_and_takes_back_what_is_queued(page: Any) -> None:
    left = page.evaluate("() => tools.silenced()")
    assert left["before"] > 0.05
    assert left["after"] < 1e-6
    assert left["step"] < 0.3


def test_a_song_is_rendered_to_a_wav(page: Any) -> None:
    assert sounds(page.evaluate("song => tools.measureSong(song)", SONG))
    wav = """song => tools.player.wav(tools.song(song)).then(async (blob) => {
        const view = new DataView(await blob.arrayBuffer());
        return [blob.type, blob.size, view.getUint32(24, true), view.getUint16(22, true)];
    })"""
    kind, size, rate, channels = page.evaluate(wav, SONG)
    assert (kind, rate, channels) == ("audio/wav", 44_100, 2)
    assert size == pytest.approx(44 + 5.5 * rate * 4, abs=8)  # two bars at 120, and the room


def test_playing_moves_on_is_heard_and_stops(page: Any) -> None:
    page.evaluate("() => tools.player.play(0)")
    until(page, "tools.player.level() > 0.01")
    until(page, "tools.player.position() > 300")
    page.evaluate("() => tools.player.stop()")
    until(page, "tools.player.level() < 1e-3", seconds=5)
    stood = page.evaluate("() => tools.player.position()")
    assert 300 < stood < 3840
    assert page.evaluate("() => tools.player.state.playing") is False
    page.evaluate("() => tools.player.play()")
    until(page, f"tools.player.position() > {stood + 50}")
    assert page.evaluate("() => tools.player.position()") < stood + 1500


def test_it_ends_by_itself_at_the_end(page: Any) -> None:
    page.evaluate("() => { window.ended = 0; tools.player.onstate = () => (ended += !tools.player.state.playing); }")
    page.evaluate("() => tools.player.play(3600)")
    until(page, "window.ended === 1")
    assert page.evaluate("() => tools.player.position()") == 3840


def test_a_seek_while_it_plays_goes_on_from_there(page: Any) -> None:
    page.evaluate("() => tools.player.play(0)")
    until(page, "tools.player.position() > 100")
    page.evaluate("() => tools.player.seek(1920)")
    assert page.evaluate("() => tools.player.position()") == pytest.approx(1920, abs=200)
    until(page, "tools.player.position() > 2000 && tools.player.level() > 0.01")


def test_a_loop_comes_back(page: Any) -> None:
    page.evaluate("() => { tools.player.setLoop([0, 480]); tools.player.play(360); }")
    until(page, "tools.player.position() < 300")
    assert page.evaluate("() => tools.player.state.playing") is True


def test_a_touched_key_sounds_and_its_latency_is_measured(page: Any) -> None:
    page.evaluate("() => tools.player.touch(0, false, 60, 100)")
    until(page, "tools.player.latency() !== null")
    assert 0 < page.evaluate("() => tools.player.latency()") < 1000


def test_a_soundfont_takes_over_and_stops(page: Any) -> None:
    page.evaluate("() => tools.player.useSoundFont('small.sf2', tools.sampleBank())")
    assert page.evaluate("() => tools.player.state.sound") == "small.sf2"
    page.evaluate("() => tools.player.play(0)")
    until(page, "tools.player.level() > 1e-3")
    page.evaluate("() => tools.player.stop()")
    until(page, "tools.player.level() < 1e-4", seconds=5)


def test_a_song_is_rendered_to_a_wav_with_the_soundfont(page: Any) -> None:
    page.evaluate("() => tools.player.useSoundFont('small.sf2', tools.sampleBank())")
    wav = """song => tools.player.wav(tools.song(song)).then(async (blob) => {
        const samples = new Int16Array(await blob.arrayBuffer(), 44);
        const second = samples.subarray(88_200, 176_400);
        return [samples.length, second.reduce((most, value) => Math.max(most, Math.abs(value)), 0)];
    })"""
    length, peak = page.evaluate(wav, SONG)
    assert length == pytest.approx(2 * 5.5 * 44_100, abs=4)
    assert 300 < peak < 32_767


def test_a_soundfont_takes_over_while_it_plays_at_the_next_bar(page: Any) -> None:
    page.evaluate("() => { tools.player.setLoop([0, 3840]); tools.player.play(0); }")
    at = "() => tools.player.useSoundFont('small.sf2', tools.sampleBank()).then(() => tools.player.position())"
    # What is heard is a little behind what is played.
    assert abs((page.evaluate(at) + 960) % 1920 - 960) < 300
    until(page, "tools.player.level() > 1e-3")


@pytest.mark.parametrize("content", ["", "RIFF", "RIFFxxxxsfbk and then nothing of use", "MThd"])
def test_a_bad_soundfont_is_refused_in_one_line_and_the_built_in_sound_goes_on(page: Any, content: str) -> None:
    load = """text => tools.player.useSoundFont('x.sf2', new TextEncoder().encode(text).buffer)
        .catch((error) => error.message)"""
    refused = page.evaluate(load, content)
    assert refused.startswith("x.sf2 ")
    assert "\n" not in refused
    assert page.evaluate("() => tools.player.state.sound") == "built-in sound"
    page.evaluate("() => tools.player.play(0)")
    until(page, "tools.player.level() > 0.01")


def test_without_permission_for_midi_it_is_said_in_one_line(page: Any) -> None:
    assert "MIDI" in page.evaluate("() => tools.openRecorder().then(() => 'MIDI is there', (error) => error.message)")


def test_at_an_address_of_the_local_network_the_built_in_sound_plays(browser: Any, address: str) -> None:
    """Without a secure context there are no worklets and no WebMIDI: both are said in one line."""
    with opened(browser, address.replace("127.0.0.1", "lan.test")) as page:
        assert page.evaluate("() => isSecureContext") is False
        page.evaluate("() => tools.player.play(0)")
        until(page, "tools.player.level() > 0.01 && tools.player.position() > 100")
        bank = "() => tools.player.useSoundFont('a.sf2', tools.sampleBank()).catch((error) => error.message)"
        assert "built-in sound goes on" in page.evaluate(bank)
        assert "No WebMIDI here" in page.evaluate("() => tools.openRecorder().catch((error) => error.message)")


def test_another_browser_plays_the_soundfont_in_a_worklet(browser: Any, address: str) -> None:
    with opened(browser, address, user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0") as page:
        page.evaluate("() => tools.player.useSoundFont('small.sf2', tools.sampleBank())")
        assert page.evaluate("() => tools.player.state.sound") == "small.sf2"
        page.evaluate("() => tools.player.play(0)")
        until(page, "tools.player.level() > 1e-3")
        page.evaluate("() => tools.player.stop()")
        until(page, "tools.player.level() < 1e-4", seconds=5)

"""Sound in places and forms that few files have: beside pictures, in a WAV that is no PCM."""

from __future__ import annotations

import struct
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.sounds import Array, noise, tone, write_av, write_sndfile

from runs.mutants import pages, with_checksums
from tonearm import audio, windows
from tonearm.audio.ffmpeg import AvReader
from tonearm.errors import DecodeError

SOUND_S, PICTURES_S = 3.0, 3.6
RATE_HZ = 44_100


def pitch(samples: Array, rate_hz: int) -> float:
    """The strongest frequency, in hertz."""
    power = np.abs(np.fft.rfft(samples))
    return float(power.argmax() * rate_hz / len(samples))


def video(path: Path, *, container: str, codec: str, pictures: str) -> Path:
    """A tone of 3 s with pictures that last a little longer."""
    import av

    sound = tone(440, SOUND_S, RATE_HZ)
    with av.open(str(path), "w", format=container) as out:
        shown = out.add_stream(pictures, rate=5)
        shown.width = shown.height = 64
        shown.pix_fmt = "yuv420p"
        played = out.add_stream(codec, rate=RATE_HZ, layout="mono")
        played.bit_rate = 96_000
        played.codec_context.open()
        for i in range(round(PICTURES_S * 5)):
            grey = np.full((64, 64, 3), 10 * i, np.uint8)
            out.mux(shown.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        size = played.codec_context.frame_size or 1_024
        convert = av.AudioResampler(
            format=played.format, layout="mono", rate=RATE_HZ, frame_size=size
        )
        frame = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        for piece in [*convert.resample(frame), *convert.resample(None)]:
            out.mux(played.encode(piece))
        out.mux(shown.encode(None))
        out.mux(played.encode(None))
    return path


@pytest.mark.parametrize(
    ("container", "codec", "pictures"),
    [
        ("matroska", "aac", "mpeg4"),
        ("flv", "aac", "flv1"),
        ("asf", "wmav2", "wmv2"),
        ("mp4", "aac", "mpeg4"),
    ],
)
def test_sound_that_ends_before_the_pictures_is_whole(
    container: str, codec: str, pictures: str, tmp_path: Path
) -> None:
    path = video(tmp_path / "a.bin", container=container, codec=codec, pictures=pictures)
    decoded = audio.decode(path)
    assert decoded.warning is None
    assert decoded.duration_s == pytest.approx(SOUND_S, abs=0.15)
    assert pitch(decoded.samples, RATE_HZ) == pytest.approx(440, abs=2)


def test_a_video_that_was_cut_off_is_named(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mkv", container="matroska", codec="aac", pictures="mpeg4")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    warning = audio.decode(path).warning
    assert warning is not None and "of 3.6 s" in warning


@pytest.mark.parametrize(
    ("container", "codec", "rate_hz"),
    [
        ("wav", "libmp3lame", 22_050),
        ("wav", "g722", 16_000),  # its tag, 0x028F, is no text
    ],
)
def test_containers_of_pcm_that_hold_something_else(
    container: str, codec: str, rate_hz: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    write_av(path, tone(440, SOUND_S, rate_hz), rate_hz, codec=codec, container=container)
    decoded = audio.decode(path)
    assert decoded.warning is None
    assert decoded.duration_s == pytest.approx(SOUND_S, abs=0.15)
    middle = decoded.samples[rate_hz : 2 * rate_hz]
    assert pitch(middle, rate_hz) == pytest.approx(440, abs=2)
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.15)


def test_w64_of_floats(tmp_path: Path) -> None:
    """Those whose format is "extensible", as FFmpeg writes it, libsndfile takes for integers."""
    rest = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the name of a chunk
    floats = tone(440, 3, RATE_HZ).astype("<f4").tobytes()
    form = struct.pack("<HHIIHHHHI", 0xFFFE, 1, RATE_HZ, 4 * RATE_HZ, 4, 32, 22, 32, 4)
    form += struct.pack("<H", 3) + bytes.fromhex("000000001000800000aa00389b71")
    body = b"wave" + rest + b"fmt " + rest + struct.pack("<Q", 24 + len(form)) + form
    body += b"data" + rest + struct.pack("<Q", 24 + len(floats)) + floats
    riff = bytes.fromhex("726966662e91cf11a5d628db04c10000")
    path = tmp_path / "a.w64"
    path.write_bytes(riff + struct.pack("<Q", 24 + len(body)) + body)
    decoded = audio.decode(path)
    assert pitch(decoded.samples, RATE_HZ) == pytest.approx(440, abs=2)
    assert np.abs(decoded.samples).max() == pytest.approx(0.5, abs=0.01)


def test_a_codec_in_which_libsndfile_cannot_seek_is_read_by_ffmpeg(tmp_path: Path) -> None:
    path = write_sndfile(tmp_path / "a.wav", tone(440, 3, 8_000), 8_000, subtype="GSM610")
    with audio.open_audio(path) as reader:
        assert isinstance(reader, AvReader)
        assert pitch(reader.read(8_000, 8_000), 8_000) == pytest.approx(440, abs=2)


def test_a_resource_fork_in_the_working_folder_is_no_part_of_an_mp3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libsndfile looks for "._" there, for want of a name, where an MP3 is not MPEG 1."""
    path = tmp_path / "a.mp3"
    write_av(path, tone(440, 3, 22_050), 22_050, codec="libmp3lame", container="mp3")
    (tmp_path / "._").touch()
    monkeypatch.chdir(tmp_path)
    assert pitch(audio.decode(path).samples, 22_050) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("granule", [2**62, 2**63 - 1, 2**40])
def test_a_time_gone_wrong_on_the_last_page_of_an_ogg(granule: int, tmp_path: Path) -> None:
    path = write_sndfile(
        tmp_path / "a.ogg", tone(440, 3, RATE_HZ), RATE_HZ, form="OGG", subtype="VORBIS"
    )
    data = bytearray(path.read_bytes())
    begin = [begin for begin, _ in pages(bytes(data))][-1]
    data[begin + 6 : begin + 14] = struct.pack("<q", granule)
    path.write_bytes(with_checksums(bytes(data)))
    decoded = audio.decode(path)
    assert decoded.warning is None
    assert decoded.duration_s == pytest.approx(3, abs=0.1)


def test_vorbis_whose_headers_stand_twice(tmp_path: Path) -> None:
    """As in real files of some writers; players read them, FFmpeg calls them damaged."""
    path = write_sndfile(
        tmp_path / "a.ogg", tone(440, 3, RATE_HZ), RATE_HZ, form="OGG", subtype="VORBIS"
    )
    data = path.read_bytes()
    sound = next(begin for begin, _ in pages(data) if data[begin + 6 : begin + 14] != bytes(8))
    heads = [data[begin:end] for begin, end in pages(data) if begin < sound]
    segments = b"".join(head[27 : 27 + head[26]] for head in heads)
    contents = b"".join(head[27 + head[26] :] for head in heads)
    serial = data[14:18]
    again = struct.pack("<4sBBq", b"OggS", 0, 0, -104) + serial + struct.pack("<II", len(heads), 0)
    again += bytes([len(segments)]) + segments + contents
    path.write_bytes(with_checksums(data[:sound] + again + data[sound:]))
    decoded = audio.decode(path)
    assert decoded.duration_s == pytest.approx(3, abs=0.1)
    assert pitch(decoded.samples, RATE_HZ) == pytest.approx(440, abs=2)


def test_frames_of_one_sample_take_no_longer(tmp_path: Path) -> None:
    path = write_av(
        tmp_path / "a.caf", tone(440, 3, 44_100), 44_100, codec="pcm_s16le", container="caf"
    )
    data = bytearray(path.read_bytes())
    desc = data.index(b"desc") + 12  # rate, format, flags, then bytes and samples of a packet
    assert int.from_bytes(data[desc + 20 : desc + 24], "big") == 1
    data[desc + 20 : desc + 24] = (17).to_bytes(4, "big")
    path.write_bytes(data)
    begun_s = time.process_time()
    assert len(AvReader(path).read(0, 44_100)) == 44_100
    assert time.process_time() - begun_s < 4


def test_windows_of_a_track_of_any_stated_length() -> None:
    starts = windows.place(2**62, 187, count=8)
    assert len(starts) == 8 and starts[-1] < 2**62


def test_mp4_of_common_encryption_is_protected(tmp_path: Path) -> None:
    """FFmpeg states the codec below the encryption, and would decode noise."""
    key = "76a6c65c5ea762046bd749a2e632ccbb"
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": key, "encryption_kid": key}
    path = tmp_path / "a.mp4"
    write_av(path, tone(440, 3, RATE_HZ), RATE_HZ, codec="aac", container="mp4", options=options)
    with pytest.raises(DecodeError, match="copy-protected") as caught:
        audio.decode(path)
    assert caught.value.kind == "protected"


def test_a_damaged_ogg_is_not_called_forbidden(tmp_path: Path) -> None:
    """FFmpeg says "operation not permitted" of an Ogg with a stream that it cannot place."""
    path = tmp_path / "a.ogg"
    head = b"OggS\0\2" + bytes(8) + struct.pack("<III", 77, 0, 0) + b"\1\x40fishead\0" + bytes(56)
    path.write_bytes(with_checksums(head))
    with pytest.raises(DecodeError) as caught:
        audio.decode(path)
    assert caught.value.kind == "not-audio"
    assert "FFmpeg" in caught.value.reason


@pytest.mark.parametrize("container", ["matroska", "mp4"])
def test_the_track_that_is_marked_is_played(container: str, tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.bin"
    with av.open(str(path), "w", format=container) as out:
        streams = [out.add_stream("aac", rate=RATE_HZ, layout="mono") for _ in range(2)]
        if not hasattr(type(streams[1]), "disposition"):
            pytest.skip("this PyAV marks no tracks")
        streams[1].disposition = av.stream.Disposition.default
        for stream, hz in zip(streams, (1_000, 440), strict=True):
            sound = tone(hz, 3, RATE_HZ)
            for i in range(0, len(sound) - 1_023, 1_024):
                piece = sound[None, i : i + 1_024].astype(np.float32)
                frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = RATE_HZ, i
                frame.time_base = Fraction(1, RATE_HZ)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    assert pitch(audio.decode(path).samples, RATE_HZ) == pytest.approx(440, abs=2)


def test_an_mp3_sent_as_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    write_av(path, noise(20, 22_050), 22_050, codec="libmp3lame", container="mp3", bit_rate=64_000)
    # What FTP does to it in ASCII mode: more than half of the frames have a byte too many.
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    warning = audio.decode(path).warning
    assert warning is not None and "truncated or damaged" in warning

"""Files of every container with tags of many forms, and a library of them, for ``stress_tag.py``.

``ffmpeg``, and ``mpcenc`` if it is installed, cut and encode them from real music, once for each
variant and source. Their predictions are made up.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import mutagen
from mutagen import id3

from tests.support import small_files
from tests.support.tagged import library_of
from tonearm.genres import GTZAN_GENRES, id3_name

PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63000100"
    "000500010d0a2db40000000049454e44ae426082"
)
# Variant: suffix and FFmpeg's options.
VARIANTS = {
    "v24": (".mp3", "-c:a libmp3lame -b:a 96k -map_metadata -1"),
    "v23": (".mp3", "-c:a libmp3lame -b:a 96k -id3v2_version 3 -write_id3v1 1"),
    "v1": (".mp3", "-c:a libmp3lame -b:a 96k -id3v2_version 0 -write_id3v1 1"),
    "gain": (".mp3", "-c:a libmp3lame -b:a 96k -map_metadata -1"),
    "bare": (".mp3", "-c:a libmp3lame -b:a 96k -map_metadata -1 -write_xing 0 -id3v2_version 0"),
    "mp2": (".mp2", "-c:a mp2 -b:a 128k -id3v2_version 0"),
    "tta": (".tta", "-c:a tta -map_metadata -1"),
    "flac": (".flac", "-c:a flac"),
    "flacid3": (".flac", "-c:a flac"),
    "ogg": (".ogg", "-c:a libvorbis"),
    "opus": (".opus", "-c:a libopus -ar 48000"),
    "spx": (".spx", "-c:a libspeex -ar 16000 -ac 1"),
    "oga": (".oga", "-c:a flac -f ogg"),
    "m4a": (".m4a", "-c:a aac"),
    "fast": (".m4a", "-c:a aac -movflags +faststart"),
    "frag": (".m4a", "-c:a aac -movflags +frag_keyframe+empty_moov"),
    "alac": (".m4a", "-c:a alac"),
    "aiff": (".aiff", "-write_id3v2 1"),
    "wav": (".wav", "-map_metadata -1"),
    "info": (".wav", ""),
    "wma": (".wma", "-c:a wmav2"),
    "wv": (".wv", "-c:a wavpack"),
    "mpc": (".mpc", ""),
    "dsf": (".dsf", ""),
}


def make(music: list[Path], count: int, work: Path, folder: Path, rng: random.Random) -> list[Path]:
    """Clips of all variants, tagged in many ways; encoded once for each variant and source."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    clips = work / "clips"
    clips.mkdir(exist_ok=True)
    found = sorted(
        path
        for place in music
        for path in place.rglob("*")
        if path.suffix in {".ogg", ".mp3", ".flac"} and path.stat().st_size > 200_000
    )
    sources = rng.sample(found, min(25, len(found)))
    variants = [name for name in VARIANTS if name != "mpc" or shutil.which("mpcenc")]
    files = []
    for number in range(count):
        variant = variants[number % len(variants)]
        source = sources[number // len(variants) % len(sources)]
        clip = encoded(clips, variant, source, sources.index(source))
        album = folder / f"album {number // 40}"
        album.mkdir(exist_ok=True)
        path = album / f"{variant}-{number:05} ñ{clip.suffix}"
        shutil.copy(clip, path)
        retag(path, variant, number)
        os.chmod(path, 0o640 if number % 3 else 0o664)
        files.append(path)
    return files


def encoded(clips: Path, variant: str, source: Path, number: int) -> Path:
    """The clip of a source in a variant, encoded unless an earlier run left it."""
    suffix, choices = VARIANTS[variant]
    path = clips / f"{variant}-{number}{suffix}"
    if path.exists():
        return path
    cut = ["ffmpeg", "-v", "error", "-y", "-ss", "5", "-t", "4", "-i", str(source), "-map", "0:a:0"]
    cut += ["-ar", "44100", "-ac", "2"]
    if variant == "dsf":
        return small_files.write(path, small_files.music(number, 1.0))
    if variant == "mpc":
        wav = path.with_suffix(".cut.wav")
        subprocess.run([*cut, str(wav)], check=True, stdin=subprocess.DEVNULL)
        subprocess.run(["mpcenc", "--silent", "--overwrite", str(wav), str(path)], check=True)
        wav.unlink()
        return path
    names = ["-metadata", "title=Fïrst", "-metadata", "artist=Somebody", "-metadata", "album=All"]
    subprocess.run(
        [*cut, *names, *choices.split(), str(path)], check=True, stdin=subprocess.DEVNULL
    )
    return path


def retag(path: Path, variant: str, number: int) -> None:
    """Other tags, pictures and genres of many forms, as people's programs write them."""
    genre = [None, "Rock", "(17)", "Hip Hop", "Électro"][number % 5]
    if variant in {"bare", "frag", "v1"}:
        return
    if variant == "info":
        if number % 2:
            add_info(path, b"Folk\0\0")
        return
    small_files.retag(path, text="Sömebody", bulk=[0, 500, 9_000, 70_000][number % 4])
    file = mutagen.File(path)
    tags = file.tags
    if isinstance(tags, id3.ID3):
        tags.delall("TCON")
        tags.add(id3.TXXX(encoding=3, desc="MOOD", text=["calm", "dark"]))
        tags.add(id3.APIC(encoding=0, mime="image/png", type=3, desc="", data=PICTURE * 300))
        if genre:
            tags.add(id3.TCON(encoding=number % 2, text=[genre]))
        version = 3 if variant == "v23" else 4
        file.save(v2_version=version) if version == 4 else tags.save(path, v2_version=3, v1=2)
    elif variant in {"m4a", "fast", "alac"}:
        tags.pop("\xa9gen", None)
        tags["covr"] = [PICTURE * 300]
        if genre:
            tags["\xa9gen"] = [genre, "Second"] if number % 2 else [genre]
        file.save()
    else:
        name = "WM/Genre" if variant == "wma" else "genre"
        if name in tags:
            del tags[name]
        if genre:
            tags[name] = [genre, "Second"] if number % 2 else [genre]
        if variant != "wma":
            tags["mood"] = ["calm", "dark"]
        file.save()
    add_foreign(path, variant)


def add_foreign(path: Path, variant: str) -> None:
    """Tags of another kind than the container's own: gains in APE, ID3 before FLAC."""
    if variant == "gain":
        from mutagen.apev2 import APEv2

        gain = APEv2()
        gain["MP3GAIN_MINMAX"] = "100,200"
        gain.save(path)
    if variant == "flacid3":
        tag = id3.ID3()
        tag.add(id3.TPE1(encoding=3, text=["In front"]))
        data = path.read_bytes()
        tag.save(path.with_suffix(".id3"))
        path.write_bytes(path.with_suffix(".id3").read_bytes() + data)
        path.with_suffix(".id3").unlink()


def add_info(path: Path, genre: bytes) -> None:
    """A second LIST INFO, behind the sound."""
    data = path.read_bytes()
    chunk = b"LIST" + (12 + len(genre)).to_bytes(4, "little") + b"INFOIGNR"
    chunk += len(genre).to_bytes(4, "little") + genre
    body = data[8:] + chunk
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)


def fill(library: Path, files: list[Path], rng: random.Random) -> dict[Path, str]:
    """A library of all files with made-up predictions; return the genre that each will get."""
    decisions, wanted = {}, {}
    for path in files:
        # Not rock, which people's tags hold already: there would be nothing to write.
        genre = rng.choice(GTZAN_GENRES[:-1])
        wanted[path] = id3_name(genre)
        decisions[path.absolute()] = dict.fromkeys(GTZAN_GENRES, 0.02) | {genre: 0.82}
    library_of(library, decisions)
    return wanted

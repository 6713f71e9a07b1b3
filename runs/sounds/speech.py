"""Speech by espeak-ng in fourteen languages: plain, in rooms, on telephones, in noise, in crowds.

The same for a seed and a version of espeak-ng; the built-in detector learned from version 1.51.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runs.sounds.shaping import (
    LENGTH,
    SAMPLE_RATE_HZ,
    Rng,
    Signal,
    band_passed,
    coloured,
    full_scale,
    in_room,
    samples_of,
    white_noise,
)
from tonearm.audio import resample
from tonearm.errors import DatasetError

COMMAND = "espeak-ng"
# Announcements, news, tales: what stands between pieces of music.
TEXTS: dict[str, tuple[str, ...]] = {
    "en": (
        "Good evening and welcome to the programme. Tonight we speak with three farmers "
        "about the price of milk, and after the break the weather for the coming week.",
        "The train now standing at platform four is the ten fifteen to Bristol, calling at "
        "Reading, Swindon and Bath. Please mind the gap between the train and the platform.",
        "You have reached the voice mail of the accounts department. Leave your name, your "
        "number and a short message, and somebody will call you back before noon.",
        "In the beginning the river was narrow, so that the children could jump over it, but "
        "each spring it took a little of the bank away and nobody noticed.",
        "That was the last record of the hour. Coming up next, two more songs from the new "
        "album, but first a word from the people who keep this station on the air.",
    ),
    "de": (
        "Guten Abend, meine Damen und Herren. Die Sitzung wird morgen um neun Uhr "
        "fortgesetzt, danach folgt der Bericht über das Wetter im Norden.",
        "Bitte achten Sie auf den Abstand zwischen Zug und Bahnsteigkante. Der nächste Halt "
        "ist Hamburg Hauptbahnhof.",
    ),
    "fr": (
        "Bonsoir et bienvenue. Nous parlons ce soir du prix du pain dans les petites villes, "
        "et ensuite des nouvelles de la mer.",
        "Le magasin ferme dans dix minutes, merci de vous diriger vers les caisses avec vos "
        "achats.",
    ),
    "es": (
        "Buenas noches a todos. Hoy hablamos con la vecina que encontró el mapa antiguo en "
        "el desván de su abuela.",
        "El próximo autobús sale a las cinco y cuarto de la tarde desde la plaza mayor.",
    ),
    "it": (
        "Buonasera, questa è la storia di un pescatore che non sapeva nuotare e di sua "
        "figlia che gli insegnò.",
    ),
    "pt": (
        "Boa noite, o mercado abre amanhã às oito horas e fecha ao meio-dia por causa da "
        "festa da cidade.",
    ),
    "nl": (
        "Goedenavond, het water staat vandaag hoger dan gisteren en de brug blijft tot "
        "morgen gesloten.",
    ),
    "pl": (
        "Dobry wieczór państwu, pociąg do Krakowa odjedzie z toru trzeciego przy peronie drugim.",
    ),
    "ru": (
        "Добрый вечер, сегодня мы расскажем о старом доме на берегу реки и о людях, которые "
        "в нём жили.",
    ),
    "cmn": ("各位听众晚上好，今天我们来谈谈城市里的老房子和住在里面的人。",),
    "hi": ("नमस्कार, आज हम गाँव के पुराने कुएँ और उसके पास रहने वाले लोगों की बात करेंगे।",),
    "sv": (
        "God kväll, i morgon blir det regn längs kusten och sol i fjällen, och vinden kommer "
        "från väster.",
    ),
    "tr": ("İyi akşamlar, bugün eski pazar yerini ve orada çalışan insanları konuşacağız.",),
    "fi": ("Hyvää iltaa, tänään puhumme vanhasta talosta järven rannalla ja sen asukkaista.",),
}
_ALL = tuple(TEXTS)
_NOT_ENGLISH = _ALL[1:]
_VOICES = (
    *("", "+m1", "+m2", "+m3", "+m4", "+m5", "+m7"),
    *("+f1", "+f2", "+f3", "+f4", "+f5", "+croak", "+klatt", "+klatt3"),
)
_WHISPERS = ("+whisper", "+whisperf")


def require() -> None:
    """Raise DatasetError when the espeak-ng command is missing."""
    if shutil.which(COMMAND) is None:
        raise DatasetError(
            f"no {COMMAND} command on the PATH, which speaks the speech kinds: "
            f"apt-get install {COMMAND}"
        )


def speak(text: str, voice: str, *, words_per_minute: int, pitch: int) -> NDArray[np.float32]:
    """What espeak-ng makes of a text.

    Parameters
    ----------
    text : str
        In the language of the voice.
    voice : str
        Language and variant, ``en+f2``.
    words_per_minute, pitch : int
        Speed, and pitch from 0 to 99.

    Returns
    -------
    float32 [n]
        At 22,050 Hz.

    Raises
    ------
    DatasetError
        When espeak-ng is missing or refuses.
    """
    require()
    command = [COMMAND, "-v", voice, "-s", str(words_per_minute), "-p", str(pitch)]
    done = subprocess.run([*command, "--stdout", text], capture_output=True, check=False)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        raise DatasetError(f"{COMMAND} failed with voice {voice!r}: {reason}")
    # Writing to a pipe it cannot go back to put the length into its header: read on to the end.
    start = done.stdout.find(b"data") + 8
    rate_hz = int.from_bytes(done.stdout[24:28], "little")
    whole = (len(done.stdout) - start) // 2 * 2
    samples = np.frombuffer(done.stdout[start : start + whole], "<i2").astype(np.float32)
    return resample(samples / 32768, rate_hz, SAMPLE_RATE_HZ)


def _talk(rng: Rng, languages: Sequence[str], variants: Sequence[str] = _VOICES) -> Signal:
    """One voice that speaks throughout, entered at any moment."""
    language = languages[int(rng.integers(len(languages)))]
    voice = language + variants[int(rng.integers(len(variants)))]
    speed, pitch = int(rng.integers(110, 240)), int(rng.integers(20, 80))
    texts, parts, length = TEXTS[language], [], 0
    while length < LENGTH:
        pause = np.zeros(samples_of(rng.uniform(0.1, 0.6)), dtype=np.float32)
        text = texts[int(rng.integers(len(texts)))]
        parts += [pause, speak(text, voice, words_per_minute=speed, pitch=pitch)]
        length += len(parts[-2]) + len(parts[-1])
    start = rng.integers(0, length - LENGTH + 1)
    return np.concatenate(parts)[start : start + LENGTH].astype(np.float64)


def speech_english(rng: Rng) -> Signal:
    """English, close to the microphone."""
    return _talk(rng, ("en",))


def speech_other(rng: Rng) -> Signal:
    """Any other language."""
    return _talk(rng, _NOT_ENGLISH)


def speech_room(rng: Rng) -> Signal:
    """In a living room or a station hall."""
    return in_room(rng, _talk(rng, _ALL), rng.uniform(0.2, 1.5))


def speech_phone(rng: Rng) -> Signal:
    """Through a telephone."""
    line = band_passed(_talk(rng, _ALL), 300, rng.uniform(2000, 3400), 6)
    return line + 0.002 * white_noise(rng)


def speech_noise(rng: Rng) -> Signal:
    """Over noise of any colour."""
    voice = full_scale(_talk(rng, _ALL))
    return voice + rng.uniform(0.02, 0.4) * full_scale(coloured(rng, rng.uniform(0, 1)))


def speech_whisper(rng: Rng) -> Signal:
    """Whispered."""
    return _talk(rng, _ALL, _WHISPERS)


def babble(rng: Rng) -> Signal:
    """Three to eight people at once."""
    voices = np.zeros(LENGTH)
    for _ in range(rng.integers(3, 9)):
        voices += full_scale(_talk(rng, _ALL)) * rng.uniform(0.3, 1)
    return in_room(rng, voices, rng.uniform(0.1, 1))

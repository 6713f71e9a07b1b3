"""GTZAN's doubtful labels, by what a store calls the same song.

GTZAN files zydeco and a singer with a guitar under blues, punk under metal, a conductor under jazz.
Nobody can say who is right; but a genre that is learnt from such clips as from all others lies
where nobody looks for it. So they count less for GTZAN's genre, and as much for the store's.
"""

from __future__ import annotations

# Of the store's genres those that do not contradict GTZAN's: any that contains one of these words.
ACCEPTED = {
    "blues": ("blues",),
    "classical": ("classical", "opera", "vocal"),
    "country": ("country", "singer"),
    "disco": ("dance", "disco", "r&b", "soul", "funk", "electronic", "pop"),
    "hiphop": ("hip", "rap"),
    "jazz": ("jazz", "big band", "vocal"),
    "metal": ("metal", "rock"),
    "pop": ("pop", "r&b", "dance", "vocal", "rock"),
    "reggae": ("reggae", "dub", "ska", "dancehall"),
    "rock": ("rock", "alternative", "metal", "pop"),
}
# Words that are no genre.
SILENT = ("", "soundtrack", "world")
# The store's genres that are ours by another name.
COUNTERPARTS = {
    "alternative": "rock",
    "blues": "blues",
    "classical": "classical",
    "gangsta rap": "hiphop",
    "hip-hop": "hiphop",
    "hip-hop/rap": "hiphop",
    "jazz": "jazz",
    "pop": "pop",
    "r&b/soul": "disco",
    "reggae": "reggae",
    "rock": "rock",
}
# How much a doubtful clip counts for either genre, where another clip counts 1 for its own.
DOUBTFUL_MASS = 0.3


def opinions(genre: str, store: str) -> list[tuple[str, float]]:
    """Genres of a clip that GTZAN and a store call so, and how much it counts for each."""
    word = store.lower()
    if word in SILENT or any(accepted in word for accepted in ACCEPTED[genre]):
        return [(genre, 1.0)]
    found = [(genre, DOUBTFUL_MASS)]
    if word in COUNTERPARTS:
        found.append((COUNTERPARTS[word], DOUBTFUL_MASS))
    return found

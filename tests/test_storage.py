"""Objects of a store, read by range: what is read, how much of it, and what a store may answer."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path

import pytest

fsspec = pytest.importorskip("fsspec")

from support.small_files import music, write  # noqa: E402

from tonearm import Classifier  # noqa: E402
from tonearm.audio import check_file  # noqa: E402
from tonearm.containers.sound_key import sound_key  # noqa: E402
from tonearm.distributed import objects, storage  # noqa: E402
from tonearm.distributed.objects import ObjectPath  # noqa: E402
from tonearm.distributed.storage import is_uri, patiently  # noqa: E402
from tonearm.errors import DecodeError, TonearmError  # noqa: E402


@pytest.fixture
def put():
    """Puts bytes into a store in memory; gives the object's URI."""
    store = fsspec.filesystem("memory")

    def put(name, data):
        store.pipe_file(f"/bucket/{name}", data)
        return f"memory://bucket/{name}"

    yield put
    store.rm("/bucket", recursive=True)


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr(storage.time, "sleep", lambda _: None)


def test_any_range_is_what_the_object_holds(put):
    data = os.urandom(200_000)
    path = ObjectPath(put("a.bin", data))
    places = [
        (0, 10),
        (199_990, 300_000),
        (16_383, 16_385),
        (70_000, 150_000),
        (5, 5),
        (0, 200_000),
    ]
    for start, stop in places:
        assert path.read(start, stop) == data[start:stop], (start, stop)


def test_a_block_is_fetched_once_and_reading_on_takes_larger_ranges(put):
    data = os.urandom(2_000_000)
    path = ObjectPath(put("a.bin", data))
    with path.open("rb") as file:
        pieces = iter(lambda: file.read(4_096), b"")
        assert b"".join(pieces) == data
    assert path.bytes_read == len(data)
    # 123 blocks of 16 KB: 1, 2, 4 … 64 of them at once.
    assert path.requests < 12
    path.read(0, len(data))
    assert path.bytes_read == len(data)


def test_a_large_object_does_not_stay_in_memory(put, monkeypatch):
    monkeypatch.setattr(objects, "_KEPT_BYTES", 100_000)
    data = os.urandom(1_000_000)
    path = ObjectPath(put("a.bin", data))
    assert b"".join(path.read(i, i + 10_000) for i in range(0, len(data), 10_000)) == data
    assert sum(map(len, path._blocks.values())) <= 100_000


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".flac", ".ogg", ".m4a"])
def test_an_object_has_the_key_and_the_embeddings_of_the_file(put, tmp_path, suffix):
    local = write(tmp_path / f"song{suffix}", music(1, 6.0))
    path = ObjectPath(put(local.name, local.read_bytes()))
    assert sound_key(path) == sound_key(local)
    classifier = Classifier.load()
    there, here = classifier.embed(path), classifier.embed(local)
    assert there.values.tolist() == here.values.tolist()
    assert (there.path, there.duration_s) == (str(path), here.duration_s)


def test_a_copy_holds_what_was_read_and_is_as_long(put):
    data = b"\1" * 100_000
    path = ObjectPath(put("a.mp3", data))
    path.read(40_000, 40_001)
    with path.copied() as copy:
        held = copy.read_bytes()
        assert (copy.suffix, len(held)) == (".mp3", len(data))
        assert held.count(1) == 16_384
        assert held[40_000] == 1
    assert not copy.exists()


def test_what_may_pass_is_tried_again():
    answers = iter([OSError("503 Slow Down"), ConnectionError("reset"), None])

    def ask():
        error = next(answers)
        if error:
            raise error
        return "data"

    assert patiently(ask) == "data"


def test_what_is_final_is_not_tried_again():
    asked = []

    def ask():
        asked.append(1)
        raise FileNotFoundError("s3://bucket/gone.mp3")

    with pytest.raises(FileNotFoundError):
        patiently(ask)
    assert len(asked) == 1


def test_a_store_without_credentials_is_a_matter_of_permission():
    class NoCredentialsError(Exception):
        """Named as botocore's, which has no base class that others share."""

    def ask():
        raise NoCredentialsError("Unable to locate credentials")

    with pytest.raises(PermissionError, match="no credentials for the store"):
        patiently(ask)


def test_what_a_store_says_of_an_object_is_the_reason(put, monkeypatch):
    class NoCredentialsError(Exception):
        pass

    path = ObjectPath(put("a.mp3", b"x"))
    store, _ = storage.file_system(str(path))

    def refuse(_):
        raise NoCredentialsError("Unable to locate credentials")

    with monkeypatch.context() as patch:
        patch.setattr(store, "info", refuse)
        with pytest.raises(DecodeError) as refused:
            check_file(path)
    assert refused.value.kind == "permission-denied"
    assert refused.value.reason == (
        "cannot be read: no credentials for the store (Unable to locate credentials)"
    )
    gone = ObjectPath("memory://bucket/gone.mp3")
    with pytest.raises(DecodeError, match="does not exist"):
        check_file(gone)


def test_a_store_that_never_answers_is_given_up():
    asked = []

    def ask():
        asked.append(1)
        raise OSError("503 Slow Down")

    with pytest.raises(OSError, match="503"):
        patiently(ask)
    assert len(asked) == 5


def test_a_connection_that_ends_early_is_not_the_end_of_the_object(put, monkeypatch):
    data = os.urandom(50_000)
    path = ObjectPath(put("a.bin", data))
    store, name = storage.file_system(str(path))
    whole = store.cat_file
    cut = iter([1_000, None])
    monkeypatch.setattr(
        store, "cat_file", lambda *a, **k: whole(*a, **k)[: next(cut, None)], raising=True
    )
    assert path.read(0, 50_000) == data
    assert name.endswith("a.bin")


def test_a_server_that_knows_no_ranges_is_read_all_the_same(put, monkeypatch):
    data = os.urandom(50_000)
    path = ObjectPath(put("a.bin", data))
    store, _ = storage.file_system(str(path))
    monkeypatch.setattr(store, "cat_file", lambda *_, **__: data, raising=True)
    assert path.read(20_000, 21_000) == data[20_000:21_000]
    assert path.read(49_000, 50_000) == data[49_000:]


def test_a_file_object_seeks_as_a_file_does(put):
    with ObjectPath(put("a.bin", b"0123456789")).open("rb") as file:
        assert (file.seek(-3, os.SEEK_END), file.read(), file.read(1)) == (7, b"789", b"")
        assert (file.seek(2), file.seek(1, os.SEEK_CUR), file.read(2)) == (2, 3, b"34")
        with pytest.raises(io.UnsupportedOperation):
            file.fileno()


def test_a_scheme_makes_a_uri():
    assert is_uri("s3://bucket/a.mp3")
    assert not is_uri("/music/a.mp3")
    assert not is_uri("C:/music/a.mp3")


def test_an_unknown_store_is_named():
    with pytest.raises(TonearmError, match="names an unknown kind of storage"):
        storage.file_system("floppy://a.mp3")


def test_a_store_whose_package_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(TonearmError) as missing:
        storage.file_system("gs://bucket/a.mp3")
    assert str(missing.value) == "gs://bucket/a.mp3 needs gcsfs: pip install gcsfs"


@pytest.fixture
def host(monkeypatch, tmp_path):
    """Gives the URI of a folder on a host that speaks SFTP, and what was asked of it."""
    from fsspec.implementations.local import LocalFileSystem
    from fsspec.utils import infer_storage_options

    class Host(LocalFileSystem):
        """As fsspec's SFTPFileSystem: no listing is kept, names lack the host."""

        protocol = ("sftp", "ssh")

        def __init__(self, host, **options):
            super().__init__()
            self.address, self.alive, self.renamed = (host, options), True, []
            self.client = self
            hosts.append(self)

        def get_transport(self):
            return self

        def is_active(self):
            return self.alive

        @classmethod
        def _strip_protocol(cls, path):
            return infer_storage_options(path)["path"]

        @staticmethod
        def _get_kwargs_from_urls(uri):
            found = infer_storage_options(uri)
            return {name: found[name] for name in found if name not in ("path", "protocol")}

        def ls(self, path, detail=False):
            found = super().ls(path, detail=True)
            # It describes what a link is, not what it leads to.
            links = [{**e, "type": "link", "size": 7} if e["islink"] else e for e in found]
            return links if detail else [entry["name"] for entry in links]

        def mv(self, old, new):
            self.renamed.append(Path(new).name)
            os.replace(old, new)

    hosts = []
    monkeypatch.setitem(sys.modules["fsspec.registry"]._registry, "sftp", Host)
    return f"sftp://me:secret@Host.example:2222{tmp_path}/archive", hosts


def test_objects_on_a_host_keep_it_in_their_names(host):
    uri, hosts = host
    odd = ["What? #1.mp3", "100% %20.mp3", "Größe 🎵.mp3"]
    for name in odd:
        storage.write(f"{uri}/music/{name}", name.encode())
    local = Path(uri.partition("2222")[2], "music")
    (local / "link.mp3").symlink_to(odd[0])
    assert hosts[0].address == (
        "Host.example",
        {"username": "me", "password": "secret", "port": 2222},
    )
    found = dict(storage.find(f"{uri}/music/", suffixes={".mp3"}))
    # The size of a link is unknown, not its own.
    sizes = {f"{uri}/music/{name}": len(name.encode()) for name in odd}
    assert found == {**sizes, f"{uri}/music/link.mp3": None}
    assert sorted(storage.names(f"{uri}/music")) == sorted([*odd, "link.mp3"])
    for each in found:
        assert ObjectPath(each).read(0, 100) == local.joinpath(each.rpartition("/")[2]).read_bytes()


def test_what_does_not_appear_whole_is_renamed_at_the_end(host):
    uri, hosts = host
    storage.write(f"{uri}/rows/0000.parquet", b"rows")
    assert [name for each in hosts for name in each.renamed] == ["0000.parquet"]
    assert storage.names(f"{uri}/rows") == ["0000.parquet"]


def test_a_connection_that_was_cut_is_made_again(host):
    uri, hosts = host
    storage.write(f"{uri}/a.mp3", b"a")
    cut, whole = storage.file_system(uri)[0], len(hosts)
    cut.alive = False
    assert storage.file_system(uri)[0] is not cut
    assert len(hosts) > whole


def test_a_host_that_is_away_is_the_reason_of_its_objects(host, monkeypatch):
    uri, _ = host
    monkeypatch.setattr(storage, "file_system", away)
    monkeypatch.setattr(objects, "file_system", away)
    with pytest.raises(DecodeError) as refused:
        check_file(objects.object_path((f"{uri}/a.mp3", None)))
    assert refused.value.reason == "cannot be read: No route to host"


def away(_):
    raise OSError(errno.EHOSTUNREACH, "No route to host")

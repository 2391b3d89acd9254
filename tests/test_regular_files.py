"""Texts of regular files: bounded in size and in time, and inside their folder."""

import os
import threading
from pathlib import Path
from threading import Event

import pytest

from router.regular_files import UnreadableFileError, call_within, read_text

PATIENCE_S = 30.0


def refusal(path: Path, *, max_bytes: int = 1000, folder: str = "") -> str:
    with pytest.raises(UnreadableFileError) as raised:
        read_text(path, max_bytes=max_bytes, folder=folder, timeout_s=PATIENCE_S)
    return str(raised.value)


def test_a_regular_file_is_read_without_its_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("\ufeffgrüße\n".encode())
    assert read_text(tmp_path / "a", max_bytes=11, timeout_s=PATIENCE_S) == "grüße\n"


def test_a_pipe_without_a_writer_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == "it is not a regular file"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev"])
def test_devices_and_folders_are_refused(device: str) -> None:
    assert refusal(Path(device)) in {"it is not a regular file", "Is a directory"}


def test_a_file_of_three_gigabytes_is_refused_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(3 * 2**30)  # a hole: it takes no room on the disk
    assert refusal(tmp_path / "big", max_bytes=2**20) == "it is larger than 1048576 bytes"


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"gr\xfc\xdfe")
    assert refusal(tmp_path / "a").startswith("not UTF-8 text: ")
    assert refusal(tmp_path / "nothing") == "No such file or directory"
    assert refusal(Path("nul\0byte")) == "embedded null byte"


def test_a_link_may_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir()
    other.mkdir()
    (other / "secret").write_text("theirs")
    (mine / "link").symlink_to(other / "secret")
    (mine / "folder").symlink_to(other)
    reason = f"a symbolic link leads out of {mine}"
    assert refusal(mine / "link", folder=str(mine)) == reason
    assert refusal(mine / "folder" / "secret", folder=str(mine)) == reason


def test_links_inside_the_folder_are_followed_as_mounted_secrets_have_them(tmp_path: Path) -> None:
    """Kubernetes mounts a secret as a link into a folder that it replaces as a whole."""
    mine = tmp_path / "mine"
    (mine / "..2026_01").mkdir(parents=True)
    (mine / "..2026_01" / "token").write_text("t")
    (mine / "..data").symlink_to("..2026_01")
    (mine / "token").symlink_to("..data/token")
    (tmp_path / "alias").symlink_to(mine)
    folder = tmp_path / "alias"
    assert read_text(folder / "token", max_bytes=9, folder=str(folder), timeout_s=9) == "t"


def test_work_that_hangs_is_given_up_and_not_begun_again_while_it_hangs() -> None:
    begun, end = [], Event()

    def hang() -> str:
        begun.append(1)
        end.wait(PATIENCE_S)
        return "late"

    assert call_within(0.01, "a slow disk", hang) is None
    assert call_within(PATIENCE_S, "a slow disk", hang) is None
    assert len(begun) == 1
    assert call_within(PATIENCE_S, "another disk", lambda: "well") == "well"
    end.set()
    for thread in threading.enumerate():
        if thread.name == "reading a file":
            thread.join(PATIENCE_S)
    assert call_within(PATIENCE_S, "a slow disk", lambda: "well") == "well"

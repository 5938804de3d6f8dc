"""Lines of several hosts stay whole and say whose they are."""

import io
import threading

from deploy.report.prefixed import ByThread, Prefixed


def test_pieces_become_whole_lines() -> None:
    lines: list[str] = []
    stream = Prefixed(lines.append)
    for piece in ("a", "b\nc", "", "\n\n", "end"):
        assert stream.write(piece) == len(piece)
    assert lines == ["ab", "c", ""]
    stream.close()
    stream.close()
    assert lines == ["ab", "c", "", "end"]


def test_a_terminals_line_ends_and_redrawn_lines_are_made_plain() -> None:
    lines: list[str] = []
    Prefixed(lines.append).write("one\r\n10%\r100%\n")
    assert lines == ["one", "100%"]


def test_each_thread_prints_to_its_own_stream() -> None:
    lines: list[str] = []
    usual = io.StringIO()
    out = ByThread({"web1": Prefixed(lines.append)}, usual)
    thread = threading.Thread(target=lambda: print("hers", file=out), name="web1")
    thread.start()
    thread.join()
    print("ours", file=out)
    assert (lines, usual.getvalue()) == (["hers"], "ours\n")
    assert not out.isatty()

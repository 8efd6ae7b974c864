import sqlite3
from contextlib import closing

from pipelines.erase_traces import leftovers, overwrite, redact_database, remove_traces
from tests.pipelines.landing_factory import LightStudy

WHO, OTHER = "P000000001", "P000000002"


def test_a_logs_lines_stay_and_keep_their_length(study: LightStudy) -> None:
    log = study.study.log
    log.write_text(f"a {WHO}-0123ABCD b\nc {OTHER}\n{WHO}\n")
    # A run that is under way goes on writing to the same file.
    with log.open("a") as running:
        overwrite(log, WHO)
        running.write("later\n")
    assert log.read_text() == f"a {'*' * 19} b\nc {OTHER}\n{'*' * 10}\nlater\n"


def test_a_databases_rows_go_also_from_its_free_pages(study: LightStudy) -> None:
    path = study.study.state / "prefect" / "prefect.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.execute('CREATE TABLE "task run" (id INTEGER, name TEXT, extra BLOB)')
        rows = [(1, f"quality {WHO}-1", None), (2, f"quality {OTHER}-1", None), (3, "x", f"{WHO}".encode())]
        database.executemany('INSERT INTO "task run" VALUES (?, ?, ?)', rows)
        database.commit()
    assert WHO.encode() in path.read_bytes()
    assert redact_database(path, WHO) == 2
    assert WHO.encode() not in path.read_bytes()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute('SELECT id FROM "task run"').fetchall() == [(2,)]


def test_traces_go_and_what_must_keep_the_pseudonym_keeps_it(study: LightStudy) -> None:
    paths = study.study
    for path in (paths.reports / "person.html", paths.state / "prefect-server.log", paths.state / "audit.log",
                 paths.state / "receipts" / f"{WHO}.json", paths.state / "checkout-x" / "lake" / WHO / "a"):  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(WHO)
    found = leftovers(paths, WHO, [], [])
    assert found == ["reports/person.html", f"state/checkout-x/lake/{WHO}/a", "state/prefect-server.log"]
    remove_traces(paths, WHO, [])
    assert leftovers(paths, WHO, [], []) == []
    assert (paths.state / "audit.log").read_text() == WHO
    assert not (paths.state / "checkout-x").exists()


def test_an_id_is_found_as_a_word_where_it_tells_anything(study: LightStudy) -> None:
    (study.study.state / "a.log").write_text("size 4711007, PT-12 and xMRN-4711007x, 2026\n")
    assert leftovers(study.study, WHO, ["2026", "12"], []) == []
    assert leftovers(study.study, WHO, ["MRN-4711007"], []) == []
    assert leftovers(study.study, WHO, ["PT-12"], []) == ["state/a.log"]
    assert leftovers(study.study, WHO, ["4711007"], []) == ["state/a.log"]

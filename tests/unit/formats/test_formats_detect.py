# ruff: noqa: RUF001 - real sentences
from __future__ import annotations

import gzip
import io
import json
import zipfile

import polars as pl
import pytest

from datalab.errors import NotFound, ReadError, UsageError
from datalab.formats import ReadOptions, detect, read
from datalab.formats.alphabets import european_encoding


def found(folder, data, name="data", **hints):
    path = folder / name
    path.write_bytes(data)
    return detect(path, hints)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(tmp_path, delimiter):
    text = delimiter.join(["id", "name", "price"]) + "\n" + (delimiter.join(["1", '"a, b; c"', "3"]) + "\n") * 5
    options = found(tmp_path, text.encode())
    assert (options.format, options.delimiter, options.header) == ("csv", delimiter, True)
    assert {"format", "delimiter", "encoding", "header", "decimal"} <= set(options.detected)


def test_decimal_mark_and_missing_header(tmp_path):
    options = found(tmp_path, b"1;2,5\n2;1.234,75\n3;0,1\n")
    assert (options.decimal, options.header, options.delimiter) == (",", False, ";")
    assert found(tmp_path, b"a,b\n1,2.5\n2,1234.75\n").decimal == "."


SENTENCES = [
    ("cp1252", "Straße nach Köln, Ärger über Öl"),
    ("cp1252", "Søren Åse Müller"),
    ("cp1252", "Tous les êtres humains naissent libres et égaux, forêt, Noël, œuvre"),
    ("cp1252", "dignidade e em direitos, São João, razão, consciência"),
    ("cp1252", "José Muñoz"),
    ("cp1250", "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności"),
    ("cp1250", "Minden emberi lény szabadon születik és egyenlő méltósága"),
    ("cp1250", "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti"),
    ("cp1250", "Vsi ljudje se rodijo svobodni, človeško, Željko Šešelj"),
    ("cp1251", "Всички хора се раждат свободни и равни по достойнство"),
    ("cp1253", "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι"),
    ("cp1257", "Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis"),
    ("cp1257", "Visi cilvēki piedzimst brīvi un vienlīdzīgi savā pašcieņā"),
]


@pytest.mark.parametrize(("encoding", "text"), SENTENCES)
def test_european_encodings(encoding, text):
    assert european_encoding(text.encode(encoding)) == encoding


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_encodings(tmp_path, encoding):
    data = "id,name\n1,Łódź\n".encode(encoding)
    options = found(tmp_path, data)
    (chunk,) = read(tmp_path / "data", options, batch_rows=5)
    assert chunk.frame.rows() == [("1", "Łódź")]


def test_the_encoding_shows_only_late_in_the_file(tmp_path):
    data = b"id,name\n" + b"1,plain\n" * 300_000 + "2,Størrelse på Øen\n".encode("cp1252")
    assert found(tmp_path, data).encoding == "cp1252"


def test_a_damaged_line_does_not_change_the_encoding_of_a_utf8_file(tmp_path):
    data = b"id,name\n" + "1,Łódź\n".encode() * 50 + b"2,\xff\n"
    assert found(tmp_path, data).encoding == "utf-8"


def test_formats_by_content(tmp_path):
    frame = pl.DataFrame({"a": [1]})
    body = io.BytesIO()
    frame.write_parquet(body)
    assert found(tmp_path, body.getvalue()).format == "parquet"
    assert found(tmp_path, b'{"a":1}\n').format == "jsonl"
    assert found(tmp_path, b'{"resourceType":"Bundle"}\n').format == "fhir"
    assert found(tmp_path, b"some words\nand more\n").format == "text"
    assert found(tmp_path, gzip.compress(b"a,b\n1,2\n")).compression == "gzip"


def test_archives_by_the_suffix_of_their_files(tmp_path):
    def archive(*names):
        with zipfile.ZipFile(tmp_path / "z.zip", "w") as written:
            for name in names:
                written.writestr(name, '{"resourceType":"Bundle"}' if "json" in name else "a,b\n1,2\n")
        return detect(tmp_path / "z.zip")

    assert archive("a.csv", "readme.txt").format == "csv"
    assert archive("a.json", "b.json").format == "fhir"
    assert archive("a.txt", "b.txt").format == "documents"
    with pytest.raises(ReadError, match="office"):
        archive("[Content_Types].xml", "xl/sheet.xml")


def test_what_is_told_is_not_detected(tmp_path):
    options = found(tmp_path, b"a;b\n1;2\n", format="tsv", encoding="latin-1", header="false", columns="column_1")
    assert (options.delimiter, options.encoding, options.header, options.columns) == ("\t", "iso8859-1", False, ("column_1",))
    assert not {"delimiter", "encoding", "header", "format"} & set(options.detected)


def test_words_that_are_not_understood(tmp_path):
    with pytest.raises(NotFound, match="no option"):
        found(tmp_path, b"a\n", delimeter=",")
    with pytest.raises(NotFound, match="no format"):
        found(tmp_path, b"a\n", format="xls")
    with pytest.raises(UsageError, match="one ASCII character"):
        found(tmp_path, b"a\n", format="csv", delimiter="::")
    with pytest.raises(UsageError, match="no encoding"):
        found(tmp_path, b"a\n", encoding="utf-9")


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "empty"), (b'[{"a":1}]', "JSON array"), (b"\0\1\2\3" * 99, "no format"), (gzip.compress(b""), "empty")],
)
def test_files_that_cannot_be_read(tmp_path, data, message):
    with pytest.raises(ReadError, match=message):
        found(tmp_path, data)


def test_options_travel_as_json(tmp_path):
    options = found(tmp_path, b'{"a":1,"b":"x"}\n')
    assert ReadOptions.from_json(json.loads(json.dumps(options.as_json()))) == options

"""An example: an answer as a table.

Models write tables in more ways than a program likes to read: Markdown, or comma-separated lines, in a fence or with
words around them. This guest asks the app for the columns that its caller wants, finds the table in what comes back,
and returns rows that fit an output schema, with Python's own `csv` and nothing else.
"""

import csv
import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import client, dify
from wit_world.imports.types import (
    App,
    CallResult,
    Content_Text,
    Error_Failed,
    Error_InvalidArguments,
    Manifest,
    Outcome_Complete,
    Tool,
)

# More columns are no table that anybody reads.
MOST_COLUMNS = 12

INPUT = {
    "type": "object",
    "properties": {
        "topic": {
            "type": "string",
            "minLength": 1,
            "maxLength": 500,
            "title": "Topic",
            "description": "What the table is about, in a few words.",
        },
        "columns": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 60},
            "minItems": 1,
            "maxItems": MOST_COLUMNS,
            "title": "Columns",
            "description": "What each column has, in order.",
        },
    },
    "required": ["topic", "columns"],
    "additionalProperties": False,
}

# The host holds a tool with an output schema to it: every success carries such an object.
OUTPUT = {
    "type": "object",
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
    },
    "required": ["columns", "rows"],
}


class Tools(exports.Tools):
    """The export `tools`. An error of the contract is raised, wrapped in `Err`."""

    def describe(self, app: App) -> Manifest:
        # Runs once and is kept; no import works in here. A guest that cannot serve an app says so now.
        question(app, "")
        table = Tool(
            name="table",
            title="Table",
            description=f"Asks the Dify app “{app.name}” for facts and returns them as rows of a table.",
            input_schema=json.dumps(INPUT),
            output_schema=json.dumps(OUTPUT),
            annotations=json.dumps({"destructiveHint": False}),
            requires=[],
            task=False,
            extra="{}",
        )
        return Manifest(instructions=None, tools=[table], extra="{}")

    def call(self, app: App, request: exports.tools.CallRequest) -> Outcome_Complete:
        # The arguments fit the schema: the host has checked that.
        arguments = json.loads(request.arguments)
        columns = [column.strip() for column in arguments["columns"]]
        if len(set(columns)) < len(columns):
            raise Err(Error_InvalidArguments("`columns` has the same column twice."))

        client.progress(0, 2, "Asking for the table")
        words = f"A table as CSV with a header, no other words. Columns: {', '.join(columns)}. Topic: {arguments['topic']}"
        # What Dify refuses arrives as an `Err`, too, and leaves from here as it came: the host has the words for it.
        answer = dify.run_app(question(app, words))
        client.progress(1, 2, "Reading the table")

        rows = rows_of(words_of(answer), len(columns))
        if not rows:
            raise Err(Error_Failed("The app answered without a table of these columns."))
        return Outcome_Complete(
            CallResult(
                content=[Content_Text(markdown([columns, *rows]))],
                structured=json.dumps({"columns": columns, "rows": rows}),
                is_error=False,
                meta=None,
                extra="{}",
            )
        )


def question(app: App, words: str) -> dify.Request:
    """How this app is asked something: in its query where it converses, else in its first variable for a text."""
    converses = app.mode in ("chat", "agent-chat", "agent", "advanced-chat")
    # Each entry of the form is an object with one member: the kind, and what is known of the field.
    fields = [next(iter(entry.items())) for entry in json.loads(app.parameters)["user_input_form"]]
    texts = [field["variable"] for kind, field in fields if kind in ("text-input", "paragraph")]
    variable = None if converses else next(iter(texts), None)
    if variable is None and not converses:
        raise Err(Error_Failed(f"This guest asks in words, and “{app.name}” has no input for a text."))
    for _, field in fields:
        if field.get("required") and not field.get("default") and field["variable"] != variable:
            raise Err(
                Error_Failed(f"This guest gives “{app.name}” one text, but the app also requires `{field['variable']}`.")
            )
    inputs = {} if variable is None else {variable: words}
    query = words if converses else None
    return dify.Request(inputs=json.dumps(inputs), query=query, conversation=None, files=[], extra="{}")


def words_of(answer: dify.Answer) -> str:
    """A chat says its answer, a workflow puts it into an output under a name of its author's choice."""
    outputs = json.loads(answer.outputs).values()
    return answer.text.strip() or next((output for output in outputs if isinstance(output, str)), "")


def rows_of(text: str, width: int) -> list[list[str]]:
    """The rows of the table in `text`, without its header; what has another width is no row of it."""
    lines = [line.strip() for line in text.splitlines() if not line.strip().startswith("```")]
    if piped := [line.strip("|") for line in lines if line.startswith("|")]:
        cells = [[cell.strip() for cell in line.split("|")] for line in piped]
        # The line under a Markdown header.
        cells = [row for row in cells if any(cell.strip(":- ") for cell in row)]
    else:
        cells = [[cell.strip() for cell in row] for row in csv.reader(lines, skipinitialspace=True)]
    return [row for row in cells if len(row) == width][1:]


def markdown(rows: list[list[str]]) -> str:
    """A table that people read. A bar in a cell would end it."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])

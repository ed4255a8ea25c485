// An example: a text of any length, given to the app in parts that it can take.
//
// Models and forms have a longest text. This guest cuts a longer one where a paragraph, a sentence or a word ends, runs
// the app once for each part, says how far it is, and puts the answers together.

import { runApp } from "airlock:guest/dify@0.1.0";
import { progress } from "airlock:guest/client@0.1.0";

/// How many characters a part has where the app's form allows as many.
const USUAL = 4000;
/// How many parts a text has at most: each is a run of the app, and nobody waits for a hundred.
const MOST = 10;

export const tools = {
  // Runs once and is kept. No import works in here.
  describe(app) {
    // A guest that cannot serve an app says so here, to the operator, and not later to every caller.
    const { size } = question(app);
    const text = {
      type: "string",
      minLength: 1,
      maxLength: MOST * size,
      title: "Text",
      description: "The whole text, however long.",
    };
    return {
      tools: [
        {
          name: "in_parts",
          title: "In parts",
          description:
            `Gives a long text to the Dify app “${app.name}”, part by part, and returns its answers in order. ` +
            `Use it where a text may be too long for one request.`,
          inputSchema: JSON.stringify({
            type: "object",
            properties: { text },
            required: ["text"],
            additionalProperties: false,
          }),
          annotations: JSON.stringify({ destructiveHint: false }),
          requires: [],
          task: true,
          extra: "{}",
        },
      ],
      extra: "{}",
    };
  },

  // The arguments fit the schema: the host has checked that.
  call(app, request) {
    const { text } = JSON.parse(request.arguments);
    const { size, ask } = question(app);
    const parts = split(text, size);
    if (parts.length === 0) {
      throw { tag: "invalid-arguments", val: "`text` has nothing but blanks." };
    }
    if (parts.length > MOST) {
      throw { tag: "invalid-arguments", val: `\`text\` makes ${parts.length} parts, and ${MOST} is the most.` };
    }
    const answers = parts.map((part, done) => {
      progress(done, parts.length, `Part ${done + 1} of ${parts.length}`);
      return answerOf(ask(part));
    });
    progress(parts.length, parts.length, "All parts are answered.");
    return {
      tag: "complete",
      val: {
        content: [{ tag: "text", val: answers.join("\n\n") }],
        isError: false,
        extra: "{}",
      },
    };
  },
};

/// How this app is asked something: in its query where it converses, else in its first variable for a text.
function question(app) {
  const converses = ["chat", "agent-chat", "agent", "advanced-chat"].includes(app.mode);
  // Each entry of the form is an object with one member: the kind, and what is known of the field.
  const fields = JSON.parse(app.parameters).user_input_form.map((entry) => Object.entries(entry)[0]);
  const texts = fields.filter(([kind]) => kind === "text-input" || kind === "paragraph");
  const [, field] = converses ? [] : (texts[0] ?? []);
  if (!converses && !field) {
    throw { tag: "failed", val: `This guest asks in words, and “${app.name}” has no input for a text.` };
  }
  const other = fields.find(([, other]) => other.required && !other.default && other !== field);
  if (other) {
    throw {
      tag: "failed",
      val: `This guest gives “${app.name}” one text, but the app also requires \`${other[1].variable}\`.`,
    };
  }
  return {
    size: Math.min(USUAL, field?.max_length || USUAL),
    ask: (text) => {
      const inputs = field ? { [field.variable]: text } : {};
      return run({ inputs: JSON.stringify(inputs), query: converses ? text : undefined, files: [], extra: "{}" });
    },
  };
}

/// What an import throws carries the contract's error as `payload`; thrown on, it becomes this call's error, and the host
/// has the words for it.
function run(request) {
  try {
    return runApp(request);
  } catch (error) {
    throw error.payload ?? error;
  }
}

/// A chat says its answer, a workflow puts it into an output under a name of its author's choice.
function answerOf(answer) {
  const output = Object.values(JSON.parse(answer.outputs)).find((value) => typeof value === "string");
  return answer.text.trim() || output || "(no answer)";
}

/// Parts of at most `size` characters, cut at the last paragraph, else sentence, else word, that ends in their second half.
function split(text, size) {
  const parts = [];
  // Dify counts characters as Python does; a string's own length counts those beyond U+FFFF twice.
  let rest = Array.from(text.trim());
  while (rest.length > size) {
    const head = rest.slice(0, size).join("");
    const ends = [/\n\s*\n/g, /[.!?。！？]\s*/g, /\s+/g].map((end) => lastEnd(head, end));
    const cut = ends.find((end) => end > head.length / 2) ?? head.length;
    parts.push(head.slice(0, cut).trim());
    rest = Array.from((head.slice(cut) + rest.slice(size).join("")).trim());
  }
  parts.push(rest.join(""));
  return parts.filter((part) => part !== "");
}

function lastEnd(text, pattern) {
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    end = match.index + match[0].length;
  }
  return end;
}

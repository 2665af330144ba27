"""Conversations as Jinja2 writes them with the settings of transformers: the numbers of ChatTemplateTest.

Needs Python 3 and jinja2 (python3-jinja2 in Debian). Run in this folder:  python3 chat_templates.py
The templates are written for this test; they use what the published ones of Llama 3.1, Mistral and Qwen use.
"""
import json
import os

import jinja2.exceptions
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "resources", "oracle", "chat")


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, indent=None):
    return json.dumps(value, ensure_ascii=False, indent=indent)


environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception


def user(text): return {"role": "user", "content": text}
def assistant(text, **more): return {"role": "assistant", "content": text, **more}
def system(text): return {"role": "system", "content": text}


CALL = {"type": "function", "id": "abcdefghi", "function": {"name": "w",
        "arguments": {"city": "Zürich", "n": [1, 2.5, True, None], "q": "\"\\\n\u001f"}}}
CONVERSATIONS = [
    [user("Hello")],
    [system("Be brief."), user("Hi, who are you?")],
    [user("1+1?"), assistant("2"), user("  and 2+2? \n")],
    [system(" Be kind. \n"), user("Grüße, 世界! 👋"), assistant(" Hallo. \n"), user("{{ bos_token }} {% if x %} {# c #} '\"\\ <b>&")],
    [user("a"), assistant("b")],
    [user("a"), user("b")],
    [user("q"), assistant("<think>\nhmm\n</think>\n\nanswer"), user("r"), assistant("<think>\nx\n</think>\n\nfinal \n")],
    [user("q"), assistant("answer", reasoning_content="\nbecause\n"), user("r"), assistant("final", reasoning_content="why")],
    [user("a"), assistant("b"), system("late"), user("c")],
    [user("weather?"), assistant("", tool_calls=[CALL]), {"role": "tool", "content": "sunny", "tool_call_id": "abcdefghi"},
     assistant("Sun."), user("ok")],
]
TOOLS = [{"type": "function", "function": {"name": "w", "description": "Weather 'of' a <city>", "parameters": {"type": "object",
          "properties": {"city": {"type": "string"}}, "required": ["city"]}, "return": {"type": "string"}}}]
OPTIONS = [{}, {"tools": TOOLS}, {"enable_thinking": False}, {"enable_thinking": True}, {"date_string": "1 Jan 2025"}]

cases = []
for name in sorted(os.listdir(FOLDER)):
    if not name.endswith(".jinja"):
        continue
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        template = environment.from_string(file.read())
    for messages in CONVERSATIONS:
        for options in OPTIONS:
            for prompt in (False, True):
                case = {"template": name, "messages": messages, "options": options, "add_generation_prompt": prompt}
                values = {"tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>", **options}
                try:
                    case["text"] = template.render(messages=messages, add_generation_prompt=prompt, **values)
                except jinja2.exceptions.TemplateError as error:
                    case["error"] = str(error)
                cases.append(case)
with open(os.path.join(FOLDER, "expected.jsonl"), "w", encoding="utf-8") as file:
    for case in cases:
        file.write(json.dumps(case, ensure_ascii=False) + "\n")

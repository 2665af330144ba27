"""Conversations as Jinja2 writes them with the settings of transformers: the table of ChatTemplateTest.

Needs Python 3 and jinja2 3.1 (python3-jinja2 in Debian). Run in this folder:  python3 chat_templates.py
The templates are written for this test; they use what the published ones of Llama, Mistral, Qwen, DeepSeek, Command R, Nemotron, Gemma and
gpt-oss use. The first line of the table has the conversations and options, each other line a rendering.
"""
import copy
import json
import os

import jinja2.exceptions

from jinja_constructs import environment

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "resources", "oracle", "chat")


def user(text): return {"role": "user", "content": text}
def assistant(text, **more): return {"role": "assistant", "content": text, **more}
def system(text): return {"role": "system", "content": text}


def TEXT(text): return {"type": "text", "text": text}


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
    [system("s"), user("two?"), assistant("wait", tool_calls=[CALL, {**CALL, "id": "abcdefghj"}], reasoning_content=" hm "),
     {"role": "tool", "content": "a", "name": "w"}, {"role": "tool", "content": "b", "name": "w"}, assistant("done")],
    [user("null"), assistant(None, tool_calls=[CALL])],
    [user("text"), {"role": "assistant", "tool_calls": [{"type": "function", "id": "1", "function": {"name": "x", "arguments": "{}"}}]}],
    [user([TEXT("one"), TEXT("two")]), assistant([TEXT(" answer ")]), user("c")],
    [system([TEXT("sys")]), user([TEXT("look"), {"type": "image"}])],
    [user(None)],
    [{"role": "developer", "content": "d"}, user("")],
]
TOOLS = [{"type": "function", "function": {"name": "w", "description": "Weather 'of' a <city>", "parameters": {"type": "object",
          "properties": {"city": {"type": "string", "enum": ["A", "ß"]}, "n": {"type": ["integer", "null"], "default": None},
          "list": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "boolean"}}, "required": ["k"]}}},
          "required": ["city"]}, "return": {"type": "string"}}}]
OPTIONS = [{}, {"tools": TOOLS}, {"enable_thinking": False}, {"enable_thinking": True}, {"date_string": "1 Jan 2025",
           "documents": [{"title": "T", "text": "t"}, {"title": "U"}]}]

cases = []
for name in sorted(os.listdir(FOLDER)):
    if not name.endswith(".jinja"):
        continue
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        template = environment.from_string(file.read())
    for conversation, messages in enumerate(CONVERSATIONS):
        for option, options in enumerate(OPTIONS):
            for prompt in (False, True):
                case = {"template": name, "conversation": conversation, "options": option, "add_generation_prompt": prompt}
                values = {"tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>", **copy.deepcopy(options)}
                try:
                    case["text"] = template.render(messages=copy.deepcopy(messages), add_generation_prompt=prompt, **values)
                except jinja2.exceptions.UndefinedError:
                    case["error"] = ""
                except jinja2.exceptions.TemplateError as error:
                    case["error"] = str(error)
                except Exception:
                    case["error"] = ""
                cases.append(case)
with open(os.path.join(FOLDER, "expected.jsonl"), "w", encoding="utf-8") as file:
    file.write(json.dumps({"conversations": CONVERSATIONS, "options": OPTIONS}, ensure_ascii=False) + "\n")
    for case in cases:
        file.write(json.dumps(case, ensure_ascii=False) + "\n")

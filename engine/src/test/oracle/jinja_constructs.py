"""Small constructs of the template language, as Jinja2 renders them with the settings of transformers: the table of TemplateTest.

Needs Python 3 and jinja2 3.1 (python3-jinja2 in Debian). Run in this folder:  python3 jinja_constructs.py
The settings are those of transformers' utils/chat_template_utils.py: an immutable sandbox, trim_blocks, lstrip_blocks, loop controls, the
tag "generation" (which renders what it encloses), tojson without escapes for HTML, raise_exception and strftime_now. Where Jinja2 or Python
raises, the table has "error": what is raised; the reader's words are its own.
"""
import copy
import datetime
import json
import os

import jinja2
import jinja2.exceptions
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "resources", "oracle", "jinja")


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_written"), [], [], body).set_lineno(line)

    def _written(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = lambda format: datetime.datetime.now().strftime(format)


def rendered(source, values):
    try:
        return {"text": environment.from_string(source).render(**copy.deepcopy(values))}
    except Exception as error:
        return {"error": type(error).__name__}


VALUES = {"n":None,"s":"abc","l":[1,2,3],"d":{"b":1,"a":"x"},"t":True,"i":7,"f":2.5,"e":[],"u8":"Grüße 👋!","ms":[{"role":"user","content":"hi"},{"role":"assistant","content":None}],"parts":[{"type":"text","text":"p"}],"big":10**20,"items":"outer","x":"OUT","strs":["b","A","c"],"nested":{"k":{"z":[1,{"y":2}]}}}

# One a line.
LINES = r'''
{{ 'a' + n }}
{{ n + 'a' }}
{{ 'a' + undef }}
{{ undef + 'a' }}
{{ 'a' ~ n ~ undef ~ 1 ~ 2.0 ~ true ~ [1] }}
{{ n }}|{{ t }}|{{ undef }}|{{ l }}|{{ d }}|{{ f }}|{{ parts }}
{{ 'a' + parts }}
{{ 'a' + 1 }}
{{ undef.foo }}
{{ n.foo }}|
{{ n.foo.bar }}
{{ undef['a'] }}
{{ undef[0] }}
{{ undef() }}
{% for q in undef %}x{% else %}none{% endfor %}
{% for q in n %}x{% endfor %}
{% for q in 5 %}x{% endfor %}
{{ undef|length }}{{ undef|upper }}{{ undef|join(',') }}{{ undef|list }}
{{ n|length }}
{{ undef == undef2 }} {{ undef == n }} {{ undef is none }} {{ n is none }} {{ undef is defined }} {{ not undef }}
{{ undef < 1 }}
{{ -undef }}
{{ undef|int }}
{{ undef|tojson }}
{{ 'x' in undef }} {{ undef in [1] }}
{{ 'x' in n }}
{{ 1 in 'a1' }}
{% macro m(x) %}[{{ x }}]{% endmacro %}{{ m(none) }}{{ m() }}{{ m('v') }}
{% set x = none %}{{ x }}{% if x is none %}yes{% endif %}
{% for x in [none, 1] %}{{ x }},{% endfor %}{{ x }}
{% for i in [1,2] %}{% set x = i %}{{ x }}{% endfor %}{{ x }}
{% set ns = namespace(v=1) %}{% for i in l %}{% set ns.v = ns.v + i %}{% endfor %}{{ ns.v }}{{ ns['v'] }}{{ ns.q is defined }}
{% set d.b = 2 %}
{% set undef.b = 2 %}
{% for m in ms %}{{ loop.previtem is defined }}{{ loop.nextitem.role if loop.nextitem is defined }}{{ loop.previtem.role if not loop.first }};{% endfor %}
{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }}{% endfor %}
{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}
{% for i in e %}x{% else %}empty{% endfor %}
{% for i in l %}{{ i }}{% else %}empty{% endfor %}
{% for i in l if i > 5 %}{{ i }}{% else %}none{% endfor %}
{% for i in l if i is odd %}{{ loop.index }}:{{ i }}/{{ loop.length }} {% endfor %}
{% for i in l %}{{ loop.cycle('a','b') }}{% endfor %}
{% for i in [1,1,2,2,1] %}{{ loop.changed(i) }}{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}
{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}
{% for k in d %}{{ k }}{% endfor %}
{% for a, b in [(1,2),[3,4]] %}{{ a }}{{ b }}{% endfor %}
{% for a, b in [(1,2,3)] %}{{ a }}{% endfor %}
{% for a, (b, c) in [(1,(2,3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for i in [1,[2,[3]]] recursive %}{% if i is iterable %}({{ loop(i) }}){% else %}{{ i }}@{{ loop.depth }}{% endif %}{% endfor %}
{% for i in l %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}
{% for i in l %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% break %}
{% for i in range(3) %}{{ i }}{% endfor %}{{ range(2, 8, 3)|list }}{{ range(3) }}{{ range(5)[1:3] }}
{{ range(10**9) }}
{{ True }} {{ False }} {{ None }} {{ true }} {{ none }}
{{ [true, false, none, 'a', 1.0, (1,), (), {}, {'k': [1]}] }}
{{ "it's" }} {{ ["it's", 'say "x"', "both ' and \"", 'n\nl', '\x07', 'é', '👋'] }}
{{ 1.0 }} {{ 0.1 + 0.2 }} {{ 1e20 }} {{ 1e16 }} {{ 1e15 }} {{ 1e-5 }} {{ 0.0001 }} {{ -0.0 }} {{ 100000000000000000000 }}
{{ 7 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ true + 1 }} {{ true == 1 }} {{ 1 == 1.0 }} {{ '1' == 1 }} {{ [1] == (1,) }}
{{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 1 + 2 * 3 - 4 // 2 }} {{ 'a' ~ 1 + 2 }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 3 > 2 != 1 }} {{ not 1 == 2 }} {{ not true and false }} {{ 1 in [1] == true }}
{{ 'a' < 1 }}
{{ [1,2] < [1,3] }} {{ (1,) < (1,2) }} {{ 'a' < 'b' }}
{{ n < 1 }}
{{ 'a' * 3 }} {{ 3 * 'a' }} {{ [1] * 2 }} {{ [1] + [2] }} {{ (1,) + (2,) }}
{{ [1] + (2,) }}
{{ 'abc'[0] }} {{ 'abc'[-1] }} {{ 'abc'[1:] }} {{ 'abc'[::-1] }} {{ 'abc'[5:] }}|{{ 'abc'[9] }}|{{ l[-1] }}{{ l[:2] }}{{ l[9] }}
{{ undef[1:] }}
{{ n[1:] }}
{{ u8[6] }} {{ u8|length }} {{ u8[::-1] }} {{ u8.find('!') }}
{{ 'a' 'b' "c" }} {{ '\n\t\\\'\"\x41\u00e9\U0001f600\101' }}|{{ "\q" }}
{{ 'x' if t }}|{{ 'x' if not t }}|{{ 'x' if n else 'y' }}|{{ ('x' if not t) is defined }}
{{ 'a' + ('x' if not t) }}
{{ 1, 2 }}{{ (1) }}{{ (1,) }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set a, b = [1] %}{{ a }}
{% set a %}x{{ s }}{% endset %}{{ a }}|{% set b | upper %}x{{ s }}{% endset %}{{ b }}
{% set a %}{% set x = 5 %}{{ x }}{% endset %}{{ x }}{{ a }}
{% filter upper %}a{{ s }}{% endfilter %}{% filter trim|title %} hello world {% endfilter %}
{% with a = 1, b = s %}{{ a }}{{ b }}{% endwith %}{{ a }}
{% with x = 1, y = x %}{{ x }}{{ y }}{% endwith %}{{ x }}
{% raw %}{{ x }}{% if %}{% endraw %}
{% generation %}g{{ s }}{% endgeneration %}
{% macro m(a, b=2, *c) %}{% endmacro %}
{% macro m(a, b=a) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1) }}{{ m(1, 2, 3, q=4) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=1) }}
{% macro m(a=1, b) %}{% endmacro %}
{% macro m() %}<{{ caller('q') }}>{% endmacro %}{% call(z) m() %}in{{ z }}{% endcall %}
{% macro m() %}<{{ caller() }}>{% endmacro %}{{ m() }}
{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}
{% macro m() %}{% set x = 1 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}
{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}
{{ d.b }} {{ d['b'] }} {{ d.get('b') }} {{ d.get('q') }} {{ d.get('q', 5) }} {{ d.q }}| {{ d.keys() }} {{ d.values() }} {{ d.items() }}
{{ d.items is defined }} {{ d['items'] is defined }} {{ {'items': 1}['items'] }} {{ {'items': 1}.items() }} {{ {'items': 1}.items is callable }}
{{ l.append(4) }}
{{ d.update({'q': 1}) }}
{{ d.pop('b') }}
{{ l.append is defined }} {{ l.append }}|
{{ ''.__class__ }}|{{ ''.__class__.__mro__ }}
{{ 'a'|foo }}
{% if false %}{{ 'a'|foo }}{% endif %}ok
{% for q in [] %}{{ 'a'|foo }}{% endfor %}ok
{{ ('a'|foo) if false else 'ok' }}
{{ 'a' is foo }}
{{ d|tojson }} {{ l|tojson }} {{ u8|tojson }} {{ u8|tojson(ensure_ascii=true) }} {{ "<a>&'\""|tojson }}
{{ d|tojson(indent=2) }}{{ nested|tojson(indent=4) }}{{ {}|tojson(indent=2) }}{{ []|tojson(indent=2) }}
{{ d|tojson(sort_keys=true) }} {{ d|tojson(separators=(',', ':')) }} {{ d|tojson(indent=1, separators=(',', ':'), sort_keys=true) }}
{{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }} {{ (1, 2)|tojson }} {{ 1e20|tojson }} {{ 1.0|tojson }} {{ big|tojson }}
{{ d.items()|tojson }}
{{ range(3)|tojson }}
{{ raise_exception('stop here') }}
{{ strs|sort }} {{ strs|sort(case_sensitive=true) }} {{ strs|sort(reverse=true) }} {{ strs|max }} {{ strs|min }} {{ l|max }} {{ e|max }}|{{ l|sum }} {{ strs|unique|list }}
{{ [1,'a']|sort }}
{{ ms|map(attribute='role')|list }} {{ ms|map(attribute='q', default='z')|list }} {{ strs|map('upper')|join(',') }} {{ ms|selectattr('content')|list }} {{ ms|rejectattr('role', 'equalto', 'user')|list|length }}
{{ ms|selectattr('role', 'in', ['user'])|map(attribute='content')|first }} {{ l|select('odd')|list }} {{ l|reject('gt', 1)|list }} {{ l|select|list }}
{{ ms|map(attribute='role') is string }} {{ l|map('string')|length }}
{{ l|first }}{{ l|last }}{{ e|first }}{{ 'abc'|first }}{{ 'abc'|last }}{{ l|reverse|list }}{{ 'abc'|reverse }}{{ d|list }}
{{ l|batch(2)|list }} {{ l|batch(2, 0)|list }} {{ l|slice(2)|list }} {{ l|slice(2, 'x')|list }}
{{ ms|groupby('role') }} {% for g in ms|groupby('role') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}
{{ 'hello world'|title }} {{ "it's o'neil-x"|title }} {{ 'hELLO'|capitalize }} {{ 'a b'|wordcount }} {{ ' x '|trim }}| {{ 'xxaxx'|trim('x') }} {{ 'abc'|center(9) }}| {{ 'aXbX'|replace('X', 'y') }} {{ 'aXbX'|replace('X', 'y', 1) }} {{ 5|replace('5', 'x') }}
{{ 'foo bar baz qux'|truncate(9) }} {{ 'foo bar baz qux'|truncate(9, true) }} {{ 'foo bar baz qux'|truncate(11) }} {{ 'foo bar baz qux'|truncate(11, false, '..', 0) }}
{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb'|indent(width=2, blank=true) }}|{{ 'a\nb'|indent('> ') }}
{{ none|indent }}
{{ '%s is %d %05.2f %x %r %%' % ('a', 3, 2.5, 255, 'q') }} {{ '%s' % s }} {{ '%(b)s' % d }} {{ '%-5s|%5s|%+d' | format('a', 'b', 3) }} {{ '%s'|format(none) }}
{{ '%d' % 'a' }}
{{ '%s %s' % 'a' }}
{{ '%s' % ('a', 'b') }}
{{ '{} {1}'.format('a', 'b') }}
{{ '{} {}'.format('a', 2) }} {{ '{0}{1}{0}'.format(1, 2) }} {{ '{a.b} {c[k]}'.format(a=d, c={'k': 1}) }} {{ '{:>5}|{:<5}|{:^5}|{:05d}|{:.2f}|{:,}|{:x}|{!r:>6}'.format('a','b','c',42,3.14159,1234567,255,'q') }}
{{ 3.7|int }} {{ '42'|int }} {{ '4x'|int }} {{ '4x'|int(-1) }} {{ '42.9'|int }} {{ '0x1A'|int(base=16) }} {{ 'ff'|int(0, 16) }} {{ none|int }} {{ '3.5'|float }} {{ 'x'|float }} {{ [1]|int(9) }} {{ true|int }}
{{ 2.567|round(2) }} {{ 2.5|round }} {{ 3.5|round }} {{ 2.1|round(method='ceil') }} {{ 2.9|round(0, 'floor') }} {{ 5|round }} {{ 15|round(-1) }} {{ -3|abs }} {{ -3.5|abs }}
{{ '<a href="x">&'|e }} {{ '<b>'|safe }} {{ '<'|e ~ '<' }} {{ ('<'|e) + '<' }} {{ ('a'|safe) ~ '<' }} {{ '<p>x <b>y</b></p>'|striptags }} {{ 'a b&c/d'|urlencode }} {{ {'a': 'b c', 'd': 1}|urlencode }} {{ {'a': 1, 'b': none}|xmlattr }}
{{ undef|default('x') }} {{ n|default('x') }} {{ n|default('x', true) }} {{ ''|d('y', boolean=true) }} {{ undef|d }}|
{{ d|items|list }} {{ undef|items|list }} {{ d|length }} {{ d|dictsort(by='value') }}
{{ {'b': 2, 'A': 1, 'c': 0}|dictsort }} {{ {'b': 2, 'A': 1}|dictsort(true) }} {{ {'b': 2, 'a': 1}|dictsort(false, 'value', true) }}
{{ l|items }}{{ l|items|list }}
{{ 4 is even }}{{ 3 is odd }}{{ 9 is divisibleby 3 }}{{ 'a' is lower }}{{ 'A' is upper }}{{ 's' is string }}{{ 1 is number }}{{ 1 is integer }}{{ 1.0 is float }}{{ true is integer }}{{ true is boolean }}{{ true is true }}{{ 1 is true }}{{ d is mapping }}{{ l is sequence }}{{ 's' is iterable }}{{ 5 is iterable }}{{ d is sequence }}{{ l is mapping }}{{ 1 is in [1] }}{{ 1 is eq 1 }}{{ 1 is ne(2) }}{{ 1 is lt 2 }}{{ 'upper' is filter }}{{ 'odd' is test }}{{ range is callable }}{{ 'x' is escaped }}{{ n is sameas none }}{{ undef is iterable }}{{ undef is sequence }}{{ undef is string }}{{ undef is mapping }}
{{ 1 is not none }} {{ not 1 is none }} {{ l is not mapping and d is mapping }}
{{ ' a b '.strip() }}|{{ 'xxa'.lstrip('x') }}|{{ 'a,b,c'.split(',') }}|{{ 'a b  c'.split() }}|{{ 'a,b,c'.split(',', 1) }}|{{ 'a,b,c'.rsplit(',', 1) }}|{{ ' a b '.split(' ') }}|{{ ''.split() }}{{ ''.split(',') }}
{{ 'a'.split('') }}
{{ 'abc'.startswith('ab') }}{{ 'abc'.startswith(('x', 'a')) }}{{ 'abc'.startswith('b', 1) }}{{ 'abc'.endswith('c') }}{{ 'abc'.endswith(('b', 'c')) }}{{ 'abc'.endswith('b', 0, 2) }}
{{ 'abc'.startswith(n) }}
{{ 'aXbX'.replace('X', '-', 1) }} {{ 'aba'.find('a', 1) }} {{ 'aba'.find('z') }} {{ 'aba'.rfind('a') }} {{ 'aba'.index('b') }} {{ 'aba'.count('a') }} {{ '-'.join(strs) }} {{ 'ab'.title() }} {{ 'aB'.swapcase() }} {{ '12'.isdigit() }} {{ 'a1'.isalnum() }} {{ 'ab'.isalpha() }} {{ ' '.isspace() }} {{ '5'.zfill(3) }} {{ 'ab'.ljust(4) }}|{{ 'ab'.rjust(4, '*') }} {{ 'ab'.center(5) }}| {{ 'a\nb\r\nc\n'.splitlines() }} {{ 'a-b'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'prefix'.removeprefix('pre') }} {{ 'ab'.upper().lower().capitalize() }}
{{ 'aba'.index('z') }}
{{ ','.join([1]) }}
{{ l.index(2) }} {{ l.count(1) }} {{ (1,2).index(2) }}
{{ l.index(9) }}
{{ 'abc'.foo }}|{{ 'abc'.foo() }}
{{ nested.k.z[1].y }} {{ nested['k']['z'][0] }} {{ nested.k.z.1.y }} {{ l.0 }}
{{ d.copy() }} {{ dict(a=1, b=2) }} {{ dict([('a', 1)]) }} {{ {'a': 1, **d} }}
{{ dict(d, z=1) }} {{ [*l] }}
{{ m(*[1]) }}
{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(**{'a': 3, 'b': 4}) }}{{ m(1, **{'b': 2}) }}
{% set j = joiner(', ') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}
  {% if t %}
  a
  {% endif %}
b
  {%- if t -%}  c  {%- endif -%}  d
  {%+ if t +%}
 e {% endif %}
{# c #}  {#- d -#}  x {{- 1 -}}  y
a {% if t %} b {% endif %} c{{ '{{' }}{{ "}}" }}
{{ {'a': {'b': 1}}.a.b }}{{ {'a': 1} }}
{{ 5 | string ~ 'a' }} {{ 5 + 3 | abs }} {{ -5 | abs }} {{ not n | default(true) }}
{% if l and not e or n %}a{% elif t %}b{% else %}c{% endif %}
{% if a = 1 %}x{% endif %}
{% for x in %}{% endfor %}
{{ 1 + }}
{% if t %}
{{ (1 }}
{% endif %}
{{ 'abc }}
{% include 'x' %}
{{ lipsum is defined }} {{ namespace(a=1) }} {{ loop is defined }}
{% for i in l %}{% for j in l %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}
{% for i in l %}{% set loop = 1 %}{% endfor %}
{{ 0x10 }} {{ 0b11 }} {{ 0o17 }} {{ 1_000 }} {{ 1.5e3 }} {{ 1E3 }}
{{ (l|map('string')|list)[0] }}{{ l|join }}{{ l|join(', ') }}{{ [n, t, 1.0]|join('-') }}{{ ms|join(',', attribute='role') }}
{{ 'a' in 'abc' }} {{ 'z' not in 'abc' }} {{ 'b' in d }} {{ 1 in d }} {{ 2 in l }} {{ n in [none] }} {{ 'x' in d.values() }} {{ 'b' in d.keys() }} {{ ('b', 1) in d.items() }}
{{ [1] in d }}
{{ d[[1]] }}|{{ d[n] }}|{{ l['a'] }}|{{ 'abc'['a'] }}|{{ l[1.0] }}|{{ l[true] }}
{{ 'abc'|batch(2)|list }} {{ 'cab'|sort }} {{ 'cab'|list }} {{ d|sort }} {{ d|first }} {{ d|last }} {{ n|string }} {{ l|string }}
{{ ms[0] }} {{ ms[0].content.strip() }} {{ ms[1].content.strip() }}
{{ ms[1].content ~ '' }} {{ ms[1].content|trim }} {{ ms[1].content|default('', true)|trim }}
{{ ms[-1]['role'] }} {{ ms[1:]|length }} {{ ms[::-1][0].role }} {{ (ms|last).role }} {{ ms[9].role }}
{% print 'a', 1 %}{% do l.append(1) %}
{% autoescape false %}<{% endautoescape %}{% block b %}blk{{ s }}{% endblock %}
{{ t and 'yes' or 'no' }} {{ n or e or 'last' }} {{ 0 or none }} {{ 1 and [] }}
{{ items }} {{ x }}{% set items = [1] %}{{ items }}{{ {'a':1}|items|list }}
{{ 1 if 0 else 2 if 0 else 3 }} {{ (1 if t else 2) + 1 }} {{ [1 if n else 2, 3] }}
{{ 'a.b'.split('.')|last }} {{ 'x' * 0 }}| {{ 'x' * -1 }}| {{ l * 0 }} {{ [] == () }} {{ 1.5 == 1.5 }} {{ '10' < '9' }}
{{ s.upper }}
{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}
{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}
{% set q = l|map('string') %}{{ q|list }}{{ q|list }}
{% set o = namespace(seen=[]) %}{% for i in [1,2,1] if i not in o.seen %}{{ i }}{% set o.seen = o.seen + [i] %}{% endfor %}
{% for m in ms %}{% if loop.first and m.role != 'system' %}S{% endif %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles') }}{% endif %}{{ m.role|upper }}{% endfor %}
{{ 12345|filesizeformat }} {{ 1|filesizeformat }} {{ 999|filesizeformat }} {{ 2048|filesizeformat(true) }}
{{ '\u00e9'|upper }} {{ 'ß'.upper() }} {{ 'ǆ'|capitalize }} {{ 'İ'|lower|length }} {{ 'ΑΣ'|lower }}
'''

BLANKS = [
    '  {% if t %}\n  a\n  {% endif %}\nb\n  {%- if t -%}  c  {%- endif -%}  d\n  {%+ if t +%}\n e {% endif %}\n{# c #}  {#- d -#}  x {{- 1 -}}  y\n\n',
    '\n{% raw %}\n  {% x %}\n  {% endraw %}\n\ty\r\n{% if t %}\r\n z\n\t{% endif %}\n',
    'a\n  {# comment #}\n  {{ s }}\n  {%- set q = 1 %}\n\n  {% set r = 2 -%}\n\n  b\n',
    '{% for i in l %}\n  {{ i }}\n{% endfor %}\n\nend\n\n',
    '{% if t %} x\n{%- elif n %} y\n{% else %} z\n{%+ endif %} q {%- raw -%}  {{ a }}  {%- endraw +%}\n w',
]

if __name__ == "__main__":
    sources = [line for line in LINES.split("\n") if line] + BLANKS
    # Each expression of a line with several also stands alone, so that one that raises hides none.
    for line in LINES.split("\n"):
        if line.count("{{") > 1 and "{%" not in line:
            sources += [part + "}}" for part in line.replace("}}", "}}\0").replace("}}\0}", "}}}\0").split("\0") if "{{" in part
                        for part in [part[part.index("{{"):-2]] if part not in sources]
    with open(os.path.join(FOLDER, "constructs.jsonl"), "w", encoding="utf-8") as file:
        file.write(json.dumps({"values": VALUES}, ensure_ascii=False) + "\n")
        for source in dict.fromkeys(sources):
            result = rendered(source, VALUES)
            # Addresses are never the same.
            if " at 0x" not in result.get("text", ""):
                file.write(json.dumps({"source": source, **result}, ensure_ascii=False) + "\n")

package org.calm4j.engine.text;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.Context.Library;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.Importable;
import com.hubspot.jinjava.lib.exptest.IsIterableExpTest;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import com.hubspot.jinjava.objects.date.StrftimeFormatter;
import java.time.ZonedDateTime;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.calm4j.engine.CalmException;

/**
 * Jinjava as chat templates need it: with what transformers adds and without all that reads files, runs other code or makes much of little.
 * What is not on the lists here is switched off.
 */
final class ChatJinja {
    static final int MOST_CHARACTERS = 4_000_000;
    static final int MOST_ITEMS = 100_000;

    private static final Set<String> TAGS = Set.of("for", "else", "elif", "if", "set", "macro", "call", "raw", "break", "continue", "do",
            "print", "endfor", "endif", "endset", "endmacro", "endcall", "endraw");
    static final Set<String> FILTERS = Set.of("trim", "length", "count", "tojson", "list", "string", "join", "map", "select", "reject",
            "selectattr", "rejectattr", "first", "last", "reverse", "upper", "lower", "capitalize", "title", "replace", "default", "d",
            "int",
            "float", "items", "dictsort", "sort", "unique", "safe", "e", "escape", "sum", "abs", "round", ChatExpression.REVERSED);
    private static final Set<String> FUNCTIONS = Set.of("range", "namespace", "raise_exception", "strftime_now");
    /** What lstrip_blocks takes away; Jinjava's own takes the blanks behind a text on the same line too. */
    private static final Pattern BLOCK_AT_LINE_START = Pattern.compile("^[ \\t]++(?=\\{[%#])", Pattern.MULTILINE);
    private static final LegacyOverrides LIKE_JINJA2 = LegacyOverrides.newBuilder().withEvaluateMapKeys(true).withIterateOverMapKeys(true)
            .withUsePyishObjectMapper(true).withUseNaturalOperatorPrecedence(true).withParseWhitespaceControlStrictly(true)
            .withAllowAdjacentTextNodes(true).withUseTrimmingForNotesAndExpressions(true).withKeepNullableLoopValues(true)
            .withHandleBackslashInQuotesOnly(true).build();
    private static final JinjavaConfig CONFIG = JinjavaConfig.newBuilder()
            // Braces inside values are text.
            .withTrimBlocks(true).withKeepTrailingNewline(true).withNestedInterpretationEnabled(false)
            .withLegacyOverrides(LIKE_JINJA2).withElResolver(new ChatResolver()).withLocale(Locale.ROOT)
            .withMaxOutputSize(MOST_CHARACTERS).withMaxStringLength(MOST_CHARACTERS).withMaxListSize(MOST_ITEMS).withMaxMapSize(MOST_ITEMS)
            .withMaxRenderDepth(20).withEnableRecursiveMacroCalls(true).withMaxMacroRecursionDepth(20).build();
    private static final Jinjava JINJAVA = create();
    private static final Map<Library, Set<String>> DISABLED = disabled(JINJAVA.getGlobalContext());

    private ChatJinja() {
    }

    private static Jinjava create() {
        Jinjava jinjava = new Jinjava(CONFIG);
        jinjava.setResourceLocator((name, encoding, interpreter) -> {
            throw new ChatFailure("the template reads " + name);
        });
        ChatFilter.ALL.forEach(jinjava::registerFilter);
        jinjava.registerTag(new ChatForTag());
        jinjava.registerExpTest(new IsIterableExpTest() {
            @Override
            public boolean evaluate(Object value, JinjavaInterpreter interpreter, Object... arguments) {
                return value instanceof String || value instanceof Map || super.evaluate(value, interpreter, arguments);
            }
        });
        jinjava.registerFunction(new ELFunctionDefinition("", "raise_exception", ChatJinja.class, "raiseException", Object.class));
        jinjava.registerFunction(new ELFunctionDefinition("", "strftime_now", ChatJinja.class, "strftimeNow", Object.class));
        return jinjava;
    }

    private static Map<Library, Set<String>> disabled(Context context) {
        Map<Library, Set<String>> disabled = new HashMap<>();
        disabled.put(Library.TAG, others(context.getAllTags(), TAGS));
        disabled.put(Library.FILTER, others(context.getAllFilters(), FILTERS));
        disabled.put(Library.FUNCTION, others(context.getAllFunctions(), FUNCTIONS));
        return disabled;
    }

    private static Set<String> others(Collection<? extends Importable> all, Set<String> allowed) {
        Set<String> others = new HashSet<>();
        for (Importable each : all) {
            if (!allowed.contains(each.getName().startsWith(":") ? each.getName().substring(1) : each.getName())) {
                others.add(each.getName());
            }
        }
        return others;
    }

    /** @throws CalmException bad input: the template refuses the values, is broken, or takes too much */
    static String render(String source, Map<String, Object> values, Object where) {
        Context context = new Context(JINJAVA.getGlobalContextCopy(), values, DISABLED);
        // So that "is defined" finds it.
        context.put("strftime_now", "strftime_now");
        ChatInterpreter interpreter = new ChatInterpreter(JINJAVA, context, CONFIG);
        try {
            String text = interpreter.render(BLOCK_AT_LINE_START.matcher(source).replaceAll(""));
            if (interpreter.failure() == null) {
                return text;
            }
            throw CalmException.badInput(where, "chat template: " + interpreter.failure());
        } catch (CalmException e) {
            throw e;
        } catch (StackOverflowError e) {
            throw CalmException.badInput(where, "the chat template nests too deeply");
        } catch (OutOfMemoryError e) {
            throw CalmException.badInput(where, "the chat template takes too much memory");
        } catch (RuntimeException e) {
            String failure = interpreter.failure() != null ? interpreter.failure() : ChatFailure.describe(e);
            throw CalmException.badInput(where, "chat template: " + failure, e);
        }
    }

    /** Called by templates. */
    public static Object raiseException(Object message) {
        throw new ChatFailure(String.valueOf(message));
    }

    /** Called by templates: this moment, in C's format. */
    public static String strftimeNow(Object format) {
        return StrftimeFormatter.format(ZonedDateTime.now(), String.valueOf(format), Locale.ENGLISH);
    }
}

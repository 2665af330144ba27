package org.calm4j.engine.text;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.tag.ForTag;
import com.hubspot.jinjava.objects.collections.PyList;
import com.hubspot.jinjava.tree.TagNode;
import com.hubspot.jinjava.tree.parse.TagToken;
import com.hubspot.jinjava.util.ForLoop;
import com.hubspot.jinjava.util.ObjectIterator;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.commons.lang3.tuple.Pair;

/** A loop as in Jinja2, which may leave items out: {@code for x in xs if condition}. */
final class ChatForTag extends ForTag {
    private static final long serialVersionUID = 1;
    private static final Pattern CONDITION = Pattern.compile("\\sif\\s(?!.*\\selse\\s)", Pattern.DOTALL);

    @Override
    public String interpretUnchecked(TagNode node, JinjavaInterpreter interpreter) {
        Pair<List<String>, String> loop = getLoopVarsAndExpression((TagToken) node.getMaster());
        Matcher condition = CONDITION.matcher(loop.getRight());
        if (!condition.find()) {
            return super.interpretUnchecked(node, interpreter);
        }
        Object all = interpreter.resolveELExpression(loop.getRight().substring(0, condition.start()), node.getLineNumber());
        String test = loop.getRight().substring(condition.end());
        List<Object> chosen = new ArrayList<>();
        ForLoop items = ObjectIterator.getLoop(all);
        while (items.hasNext()) {
            Object item = interpreter.wrap(items.next());
            try (JinjavaInterpreter.InterpreterScopeClosable _ = interpreter.enterScope()) {
                bind(interpreter, loop.getLeft(), item);
                if (Boolean.TRUE.equals(interpreter.resolveELExpression("(" + test + ") ? true : false", node.getLineNumber()))) {
                    chosen.add(item);
                }
            }
        }
        return renderForCollection(node, interpreter, loop.getLeft(), chosen);
    }

    @Override
    public String renderForCollection(TagNode node, JinjavaInterpreter interpreter, List<String> names, Object items) {
        int size = items instanceof Collection<?> collection ? collection.size() : items instanceof Map<?, ?> map ? map.size() : 1;
        ((ChatInterpreter) interpreter).count(size);
        return super.renderForCollection(node, interpreter, names, items);
    }

    private static void bind(JinjavaInterpreter interpreter, List<String> names, Object item) {
        if (names.size() == 1) {
            interpreter.getContext().put(names.getFirst(), item);
        } else if (item instanceof Map.Entry<?, ?> entry) {
            interpreter.getContext().put(names.get(0), entry.getKey());
            interpreter.getContext().put(names.get(1), entry.getValue());
        } else if (item instanceof PyList list && list.size() == names.size()) {
            for (int i = 0; i < names.size(); i++) {
                interpreter.getContext().put(names.get(i), list.get(i));
            }
        } else {
            throw new ChatFailure("takes apart an item that has not " + names.size() + " parts");
        }
    }
}

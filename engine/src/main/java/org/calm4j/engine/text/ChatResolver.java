package org.calm4j.engine.text;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.exptest.ExpTest;
import com.hubspot.jinjava.lib.filter.Filter;
import com.hubspot.jinjava.util.ForLoop;
import java.beans.FeatureDescriptor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import jinjava.javax.el.ELContext;
import jinjava.javax.el.ELResolver;
import jinjava.javax.el.PropertyNotFoundException;

/** What a template may do with a value: entries, items, characters, and Python's methods. No Java object is ever looked into. */
final class ChatResolver extends ELResolver {
    @Override
    public Object getValue(ELContext context, Object base, Object property) {
        if (base == null) {
            return null;
        }
        context.setPropertyResolved(true);
        String name = String.valueOf(property);
        return switch (base) {
            case Map<?, ?> map -> map.get(name);
            case List<?> list -> item(list, name);
            case String text -> character(text, name);
            case Map.Entry<?, ?> entry -> name.equals("0") ? entry.getKey() : name.equals("1") ? entry.getValue() : null;
            case ForLoop loop -> loop(loop, name);
            default -> null;
        };
    }

    private static Object item(List<?> list, String name) {
        int index = index(name, list.size());
        return index < 0 ? null : list.get(index);
    }

    private static Object character(String text, String name) {
        int index = index(name, text.length());
        return index < 0 ? null : text.substring(index, index + 1);
    }

    /** -1 for none. */
    private static int index(String name, int size) {
        if (!name.matches("-?\\d{1,9}")) {
            return -1;
        }
        int index = Integer.parseInt(name);
        index += index < 0 ? size : 0;
        return index < size ? index : -1;
    }

    private static Object loop(ForLoop loop, String name) {
        return switch (name) {
            case "index" -> loop.getIndex();
            case "index0" -> loop.getIndex0();
            case "revindex" -> loop.getRevindex();
            case "revindex0" -> loop.getRevindex0();
            case "first" -> loop.isFirst();
            case "last" -> loop.isLast();
            case "length" -> loop.getLength();
            case "depth" -> loop.getDepth();
            case "depth0" -> loop.getDepth0();
            default -> null;
        };
    }

    @Override
    @SuppressWarnings("unchecked")
    public Object invoke(ELContext context, Object base, Object method, Class<?>[] types, Object[] given) {
        context.setPropertyResolved(true);
        Object[] arguments = given == null ? new Object[0] : given;
        String name = String.valueOf(method);
        return switch (base) {
            // Jinjava's own calls.
            case Filter filter -> filter.filter(arguments[0], (JinjavaInterpreter) arguments[1], (Object[]) arguments[2],
                    (Map<String, Object>) arguments[3]);
            case ExpTest test -> {
                Object[] rest = Arrays.copyOfRange(arguments, 2, arguments.length);
                JinjavaInterpreter interpreter = (JinjavaInterpreter) arguments[1];
                yield name.equals("evaluateNegated") ? test.evaluateNegated(arguments[0], interpreter, rest)
                        : test.evaluate(arguments[0], interpreter, rest);
            }
            case String text -> PythonString.call(text, name, arguments);
            case Map<?, ?> map -> call(map, name, arguments);
            case null, default -> throw new ChatFailure("has a call of " + name + " on "
                    + (base == null ? "nothing" : "a value without methods"));
        };
    }

    private static Object call(Map<?, ?> map, String name, Object[] arguments) {
        return switch (name) {
            case "items" -> List.copyOf(map.entrySet());
            case "keys" -> List.copyOf(map.keySet());
            case "values" -> new ArrayList<>(map.values());
            case "get" -> {
                Object value = map.get(String.valueOf(arguments.length > 0 ? arguments[0] : null));
                yield value == null && arguments.length > 1 ? arguments[1] : value;
            }
            default -> throw new ChatFailure("has a call of " + name + ", which a mapping does not have here");
        };
    }

    @Override
    public Class<?> getType(ELContext context, Object base, Object property) {
        return null;
    }

    @Override
    public void setValue(ELContext context, Object base, Object property, Object value) {
        throw new PropertyNotFoundException("values cannot be changed");
    }

    @Override
    public boolean isReadOnly(ELContext context, Object base, Object property) {
        return true;
    }

    @Override
    public Iterator<FeatureDescriptor> getFeatureDescriptors(ELContext context, Object base) {
        return Collections.emptyIterator();
    }

    @Override
    public Class<?> getCommonPropertyType(ELContext context, Object base) {
        return Object.class;
    }
}

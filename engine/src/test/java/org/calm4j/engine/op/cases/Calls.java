package org.calm4j.engine.op.cases;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.LinkedHashSet;
import java.util.Set;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;

/** Which methods of a backend a case calls, beside those that its inputs are made with. */
public final class Calls {
    private Calls() {}

    public static Set<Method> of(OpCase of) {
        Set<Method> calls = new LinkedHashSet<>();
        Backend scalar = new ScalarBackend();
        Backend counting = (Backend) Proxy.newProxyInstance(
                Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, arguments) -> {
                    calls.add(method);
                    try {
                        return method.invoke(scalar, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
        try (Trial trial = Trial.of(of, scalar, counting)) {
            of.run(trial);
        }
        return calls;
    }
}

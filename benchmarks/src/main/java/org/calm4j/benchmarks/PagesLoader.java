package org.calm4j.benchmarks;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.MethodModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Loads the pages once more: as they are, or with the code of their hook points taken out, as if there had never been any. */
final class PagesLoader extends ClassLoader {
    private static final String MODEL = "org.calm4j.engine.model.";
    private static final String PASS = MODEL + "Pass";
    private static final Set<String> HOOK_POINTS =
            Set.of("isTapped", "tap", "joined", "join", "tapLogits", "tapAttention");
    /** With three forms of tap, besides the record's own. */
    private static final int METHODS = 8;

    private final boolean withHookPoints;
    /** Methods whose code was taken out. */
    private final List<String> emptied = new ArrayList<>();

    PagesLoader(boolean withHookPoints) {
        super(PagesLoader.class.getClassLoader());
        this.withHookPoints = withHookPoints;
    }

    Passes pages(boolean compute, boolean tapped) {
        try {
            Passes pages = (Passes) loadClass(Pages.class.getName())
                    .getConstructor(boolean.class, boolean.class)
                    .newInstance(compute, tapped);
            pages.decoding();
            if (!withHookPoints && emptied.size() != METHODS) {
                throw new IllegalStateException("hook points are elsewhere now; these were taken out:  " + emptied);
            }
            return pages;
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        boolean own = name.startsWith(MODEL)
                || name.equals(Pages.class.getName())
                || name.startsWith(Pages.class.getName() + "$");
        if (!own) {
            return super.loadClass(name, resolve);
        }
        synchronized (getClassLoadingLock(name)) {
            Class<?> loaded = findLoadedClass(name);
            if (loaded == null) {
                byte[] bytes = bytes(name);
                bytes = name.equals(PASS) && !withHookPoints ? withoutHookPoints(bytes) : bytes;
                loaded = defineClass(name, bytes, 0, bytes.length);
            }
            return loaded;
        }
    }

    private byte[] bytes(String name) throws ClassNotFoundException {
        try (InputStream in = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
            if (in == null) {
                throw new ClassNotFoundException(name);
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new ClassNotFoundException(name, e);
        }
    }

    /** Hook points see nothing, show nothing, and join nothing for a tap. */
    private byte[] withoutHookPoints(byte[] pass) {
        ClassFile file = ClassFile.of();
        return file.transformClass(file.parse(pass), (type, element) -> {
            if (element instanceof MethodModel method
                    && HOOK_POINTS.contains(method.methodName().stringValue())
                    && method.methodTypeSymbol().parameterCount() > 0) {
                emptied.add(method.methodName().stringValue());
                type.withMethodBody(
                        method.methodName(),
                        method.methodType(),
                        method.flags().flagsMask(),
                        code -> empty(method, code));
            } else {
                type.with(element);
            }
        });
    }

    private static void empty(MethodModel method, CodeBuilder code) {
        switch (method.methodName().stringValue()) {
            case "isTapped" -> code.iconst_0().ireturn();
            // What is still to be added stays so.
            case "joined" -> code.aload(code.parameterSlot(2)).areturn();
            default -> code.return_();
        }
    }
}

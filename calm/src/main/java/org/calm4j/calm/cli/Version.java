package org.calm4j.calm.cli;

import picocli.CommandLine;

/** What {@code calm --version} says: the program, then the JVM. */
final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
        return new String[] {"calm4j " + calm4j(), "JVM " + jvm()};
    }

    static String calm4j() {
        String version = Calm.class.getPackage().getImplementationVersion();
        return version == null ? "development" : version;
    }

    static String jvm() {
        return Runtime.version() + " (" + System.getProperty("java.vendor") + ")";
    }
}

package org.calm4j.calm.report;

/** What pages with charts are made of besides their own part. */
public final class Charts {
    // The "common" build has lines, bars, scatters and both painters in two thirds of the full size.
    static final String ECHARTS = "/META-INF/resources/webjars/echarts/5.5.0/echarts.common.min.js";

    private Charts() {}

    /** Apache ECharts. */
    public static String library() {
        return Template.resource(ECHARTS);
    }

    /** Draws with the library in the page's colours; defines {@code charts}. */
    public static String script() {
        return Template.resource("charts.js");
    }

    public static String style() {
        return Template.resource("report.css");
    }
}

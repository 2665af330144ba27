package org.calm4j.calm.report;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Locale;

/** How the report writes numbers. */
final class NumberText {
    static final String NONE = "–";

    private NumberText() {}

    static double digits(double value, int digits) {
        return Double.isFinite(value)
                ? new BigDecimal(value).round(new MathContext(digits)).doubleValue()
                : value;
    }

    /** A share as {@code 58.3}, in percent. */
    static String percent(double share) {
        return Double.isFinite(share)
                ? String.format(Locale.ROOT, "%.1f", 100 * share).replace('-', '−')
                : NONE;
    }

    /** A difference of shares as {@code +20.5} or {@code −0.3}, in points. */
    static String points(double difference) {
        if (!Double.isFinite(difference)) {
            return NONE;
        }
        String text = String.format(Locale.ROOT, "%.1f", 100 * Math.abs(difference));
        return text.equals("0.0") ? "±0.0" : (difference < 0 ? "−" : "+") + text;
    }

    /** Two decimals. */
    static String decimal(double value) {
        return Double.isFinite(value)
                ? String.format(Locale.ROOT, "%.2f", value).replace('-', '−')
                : NONE;
    }

    /** The same of a difference: {@code +0.12} or {@code −0.03}. */
    static String signed(double difference) {
        return (difference >= 0 ? "+" : "") + decimal(difference);
    }

    /** {@code 0.032}, {@code <0.001}. */
    static String pValue(double value) {
        return value < 0.001 ? "<0.001" : String.format(Locale.ROOT, "%.3f", value);
    }

    /** {@code 42 s}, {@code 3 min 07 s}, {@code 1 h 02 min}. */
    static String duration(double seconds) {
        if (seconds < 10) {
            return String.format(Locale.ROOT, "%.1f s", seconds);
        }
        long whole = Math.round(seconds);
        if (whole < 60) {
            return whole + " s";
        }
        return whole < 3600
                ? String.format(Locale.ROOT, "%d min %02d s", whole / 60, whole % 60)
                : String.format(Locale.ROOT, "%d h %02d min", whole / 3600, whole % 3600 / 60);
    }
}

package org.calm4j.engine.jinja;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** The filters {@code round} and {@code filesizeformat}. */
final class Rounding {
    private Rounding() {}

    static Object round(Object value, Object[] given, Budget budget) {
        Object places = Arguments.or(given[0], 0L);
        Object method = Arguments.or(given[1], "common");
        if (!"common".equals(method) && !"ceil".equals(method) && !"floor".equals(method)) {
            throw new TemplateFailure("rounds by a method that does not exist");
        }
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (!Numbers.isNumber(value)) {
            throw new TemplateFailure("rounds " + Python.type(value));
        }
        if (!"common".equals(method)) {
            Object factor = Operators.binary("**", 10L, places, budget);
            Object scaled = Operators.binary("*", value, factor, budget);
            if (scaled instanceof Double number) {
                if (!Double.isFinite(number)) {
                    throw new TemplateFailure("rounds a number that is not finite");
                }
                scaled = Numbers.truncated("ceil".equals(method) ? Math.ceil(number) : Math.floor(number));
            }
            return Operators.binary("/", scaled, factor, budget);
        }
        if (places == null) {
            return value instanceof Double number
                    ? Numbers.of(rounded(number, 0).toBigInteger())
                    : Numbers.of(Numbers.big(value));
        }
        int digits = Numbers.small(places, "precision");
        if (value instanceof Double number) {
            return !Double.isFinite(number) || digits > 323
                    ? value
                    : digits < -308
                            ? (Object) Math.copySign(0.0, number)
                            : (Object) Math.copySign(rounded(number, digits).doubleValue(), number);
        }
        return digits >= 0
                ? Numbers.of(Numbers.big(value))
                : digits < -Numbers.MOST_DIGITS
                        ? (Object) 0L
                        : Numbers.of(new BigDecimal(Numbers.big(value))
                                .setScale(digits, RoundingMode.HALF_EVEN)
                                .toBigInteger());
    }

    private static BigDecimal rounded(double number, int digits) {
        if (!Double.isFinite(number)) {
            throw new TemplateFailure("rounds a number that is not finite");
        }
        return new BigDecimal(number).setScale(digits, RoundingMode.HALF_EVEN);
    }

    static String fileSize(Object value, boolean binary) {
        if (!Numbers.isNumber(value)) {
            throw new TemplateFailure("writes " + Python.type(value) + " as the size of a file");
        }
        double bytes = Numbers.floating(value);
        int base = binary ? 1024 : 1000;
        if (bytes == 1) {
            return "1 Byte";
        }
        if (bytes < base) {
            return Numbers.truncated(bytes) + " Bytes";
        }
        double unit = base;
        int prefix = 0;
        do {
            unit *= base;
        } while (bytes >= unit && ++prefix < 7);
        double shown = base * bytes / unit;
        return FloatFormat.of(shown, 'f', 1, false) + " "
                + (binary ? "KMGTPEZY".charAt(prefix) + "iB" : "kMGTPEZY".charAt(prefix) + "B");
    }
}

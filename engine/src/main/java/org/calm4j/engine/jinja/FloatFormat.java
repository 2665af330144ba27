package org.calm4j.engine.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;

/** Numbers as C writes them: {@code %f}, {@code %e}, {@code %g}; without a sign. */
final class FloatFormat {
    static final int MOST_DIGITS = 1000;

    private FloatFormat() {}

    /**
     * @param value not negative
     * @param type one of {@code eEfFgG}
     * @param alternate whether the point and zeros at the end stay
     */
    static String of(double value, char type, int precision, boolean alternate) {
        if (!Double.isFinite(value)) {
            String name = Double.isNaN(value) ? "nan" : "inf";
            return Character.isUpperCase(type) ? name.toUpperCase(java.util.Locale.ROOT) : name;
        }
        if (precision > MOST_DIGITS) {
            throw new TemplateFailure("asks for more than " + MOST_DIGITS + " digits");
        }
        return switch (type) {
            case 'f', 'F' -> fixed(value, precision, alternate);
            case 'e', 'E' -> scientific(value, precision, String.valueOf(type), alternate);
            default -> general(value, Math.max(1, precision), type == 'g' ? "e" : "E", alternate);
        };
    }

    private static String fixed(double value, int precision, boolean alternate) {
        return new BigDecimal(value).setScale(precision, RoundingMode.HALF_EVEN).toPlainString()
                + (alternate && precision == 0 ? "." : "");
    }

    private static String scientific(double value, int precision, String letter, boolean alternate) {
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(precision + 1, RoundingMode.HALF_EVEN));
        String digits = rounded.unscaledValue().toString();
        int exponent = value == 0 ? 0 : digits.length() - rounded.scale() - 1;
        digits = digits.length() > precision + 1
                ? digits.substring(0, precision + 1)
                : digits + "0".repeat(precision + 1 - digits.length());
        return digits.charAt(0)
                + (precision > 0 ? "." + digits.substring(1) : alternate ? "." : "")
                + Numbers.exponent(exponent, letter);
    }

    private static String general(double value, int precision, String letter, boolean alternate) {
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(precision, RoundingMode.HALF_EVEN));
        int exponent = value == 0 ? 0 : rounded.precision() - rounded.scale() - 1;
        if (exponent < -4 || exponent >= precision) {
            String text = scientific(value, precision - 1, letter, alternate);
            int mark = text.indexOf(letter);
            return alternate ? text : trimmed(text.substring(0, mark)) + text.substring(mark);
        }
        String text = fixed(value, precision - 1 - exponent, alternate);
        return alternate ? text : trimmed(text);
    }

    private static String trimmed(String text) {
        return text.indexOf('.') < 0 ? text : text.replaceAll("\\.?0*$", "");
    }

    /** The digits of an integer's absolute value, with a prefix such as 0x where {@code alternate}. */
    static String integer(BigInteger value, char type, boolean alternate) {
        String digits =
                switch (type) {
                    case 'x' -> (alternate ? "0x" : "") + value.abs().toString(16);
                    case 'X' ->
                        (alternate ? "0X" : "") + value.abs().toString(16).toUpperCase(java.util.Locale.ROOT);
                    case 'o' -> (alternate ? "0o" : "") + value.abs().toString(8);
                    case 'b' -> (alternate ? "0b" : "") + value.abs().toString(2);
                    default -> value.abs().toString();
                };
        return digits;
    }
}

package org.calm4j.engine.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;

/** Python's integers of any size (here: Long where they fit, else BigInteger) and floats. */
final class Numbers {
    /** Of an integer, as Python prints them at most. */
    static final int MOST_DIGITS = 4300;

    private static final int MOST_BITS = 14_000;
    private static final MathContext DIVISION = new MathContext(60, RoundingMode.HALF_EVEN);
    private static final long EXACT = 1L << 53;

    private Numbers() {}

    static boolean isInteger(Object value) {
        return value instanceof Long || value instanceof BigInteger || value instanceof Boolean;
    }

    static boolean isNumber(Object value) {
        return isInteger(value) || value instanceof Double;
    }

    static Object of(BigInteger value) {
        if (value.bitLength() > MOST_BITS) {
            throw new TemplateFailure("makes a number of more than " + MOST_DIGITS + " digits");
        }
        return value.bitLength() < Long.SIZE ? (Object) value.longValue() : value;
    }

    static BigInteger big(Object value) {
        return switch (value) {
            case BigInteger number -> number;
            case Boolean bool -> bool ? BigInteger.ONE : BigInteger.ZERO;
            default -> BigInteger.valueOf((Long) value);
        };
    }

    static double floating(Object value) {
        return switch (value) {
            case Double number -> number;
            case Boolean bool -> bool ? 1 : 0;
            case BigInteger number -> {
                double converted = number.doubleValue();
                if (Double.isInfinite(converted)) {
                    throw new TemplateFailure("makes a float of an integer that is too large for it");
                }
                yield converted;
            }
            default -> (Long) value;
        };
    }

    /** An integer of Python as a Java int, as widths and places are given. */
    static int small(Object value, String what) {
        if (!isInteger(value)) {
            throw new TemplateFailure(what + " must be an integer and is " + Python.type(value));
        }
        BigInteger number = big(value);
        return number.bitLength() < Integer.SIZE ? number.intValue() : number.signum() * Integer.MAX_VALUE;
    }

    /** @return null unless both are numbers */
    static Object calculate(String operator, Object left, Object right) {
        if (!isNumber(left) || !isNumber(right)) {
            return null;
        }
        if (left instanceof Double || right instanceof Double) {
            return floats(operator, floating(left), floating(right));
        }
        return integers(operator, left, right);
    }

    private static Object integers(String operator, Object left, Object right) {
        if (left instanceof Long a && right instanceof Long b) {
            Object quick = quick(operator, a, b);
            if (quick != null) {
                return quick;
            }
        }
        BigInteger a = big(left);
        BigInteger b = big(right);
        return switch (operator) {
            case "+" -> of(a.add(b));
            case "-" -> of(a.subtract(b));
            case "*" -> of(a.multiply(b));
            case "/" -> {
                checkDivisor(b.signum() == 0);
                double quotient = a.abs().bitLength() <= 53 && b.abs().bitLength() <= 53
                        ? a.doubleValue() / b.doubleValue()
                        : new BigDecimal(a).divide(new BigDecimal(b), DIVISION).doubleValue();
                if (Double.isInfinite(quotient)) {
                    throw new TemplateFailure("divides integers whose quotient is too large for a float");
                }
                yield quotient;
            }
            case "//" -> {
                checkDivisor(b.signum() == 0);
                BigInteger[] parts = a.divideAndRemainder(b);
                yield of(
                        parts[1].signum() != 0 && parts[1].signum() != b.signum()
                                ? parts[0].subtract(BigInteger.ONE)
                                : parts[0]);
            }
            case "%" -> {
                checkDivisor(b.signum() == 0);
                BigInteger rest = a.mod(b.abs());
                yield of(b.signum() < 0 && rest.signum() != 0 ? rest.add(b) : rest);
            }
            default -> power(a, b);
        };
    }

    private static Object quick(String operator, long a, long b) {
        return switch (operator) {
            case "+" -> ((a ^ (a + b)) & (b ^ (a + b))) < 0 ? null : (Object) (a + b);
            case "-" -> ((a ^ b) & (a ^ (a - b))) < 0 ? null : (Object) (a - b);
            case "*" -> Math.multiplyHigh(a, b) == (a * b) >> 63 ? (Object) (a * b) : null;
            case "//" -> b == 0 || b == -1 ? null : (Object) Math.floorDiv(a, b);
            case "%" -> b == 0 ? null : (Object) Math.floorMod(a, b);
            case "/" -> b == 0 || Math.abs(a) > EXACT || Math.abs(b) > EXACT ? null : (Object) ((double) a / b);
            default -> null;
        };
    }

    private static Object power(BigInteger a, BigInteger b) {
        if (b.signum() < 0) {
            return floats("**", floating(of(a)), floating(of(b)));
        }
        boolean tame = a.abs().compareTo(BigInteger.ONE) <= 0;
        if (tame) {
            return of(
                    a.signum() == 0
                            ? b.signum() == 0 ? BigInteger.ONE : a
                            : a.signum() < 0 && !b.testBit(0) ? BigInteger.ONE : a);
        }
        if (b.bitLength() > 20 || (long) (a.bitLength() - 1) * b.intValue() > MOST_BITS) {
            throw new TemplateFailure("makes a number of more than " + MOST_DIGITS + " digits");
        }
        return of(a.pow(b.intValue()));
    }

    private static Object floats(String operator, double a, double b) {
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> {
                checkDivisor(b == 0);
                yield a / b;
            }
            case "//" -> {
                checkDivisor(b == 0);
                double rest = modulo(a, b);
                double quotient = (a - rest) / b;
                double floor = Math.floor(quotient);
                yield quotient == 0 ? Math.copySign(0, a / b) : quotient - floor > 0.5 ? floor + 1 : floor;
            }
            case "%" -> {
                checkDivisor(b == 0);
                yield modulo(a, b);
            }
            default -> {
                checkDivisor(a == 0 && b < 0);
                if (a < 0 && Double.isFinite(a) && Double.isFinite(b) && b != Math.rint(b)) {
                    throw new TemplateFailure("makes a complex number");
                }
                double power = a == 1 ? 1 : a == -1 && Double.isInfinite(b) ? 1 : Math.pow(a, b);
                if (Double.isInfinite(power) && Double.isFinite(a) && Double.isFinite(b)) {
                    throw new TemplateFailure("makes a float that is too large");
                }
                yield power;
            }
        };
    }

    private static double modulo(double a, double b) {
        double rest = a % b;
        if (rest == 0) {
            return Math.copySign(0, b);
        }
        return rest < 0 != b < 0 ? rest + b : rest;
    }

    private static void checkDivisor(boolean zero) {
        if (zero) {
            throw new TemplateFailure("divides by zero");
        }
    }

    /** Exactly, whatever the types. NaN compares as unequal to all: null. */
    static Integer compare(Object left, Object right) {
        if (left instanceof Long a && right instanceof Long b) {
            return Long.compare(a, b);
        }
        if (left instanceof Double a && !Double.isFinite(a) || right instanceof Double b && !Double.isFinite(b)) {
            double a = left instanceof Double number ? number : 0;
            double b = right instanceof Double number ? number : 0;
            return Double.isNaN(a) || Double.isNaN(b) ? null : (Integer) Double.compare(a, b);
        }
        return exact(left).compareTo(exact(right));
    }

    static BigDecimal exact(Object value) {
        return value instanceof Double number ? new BigDecimal(number) : new BigDecimal(big(value));
    }

    /** Towards zero. */
    static Object truncated(double value) {
        if (!Double.isFinite(value)) {
            throw new TemplateFailure("makes an integer of " + repr(value));
        }
        return of(new BigDecimal(value).toBigInteger());
    }

    /** As Python's {@code repr} writes floats: the fewest digits that give the number back. */
    static String repr(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value < 0 ? "-inf" : "inf";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal shortest = new BigDecimal(Double.toString(Math.abs(value))).stripTrailingZeros();
        String digits = shortest.unscaledValue().toString();
        int exponent = digits.length() - shortest.scale() - 1;
        String text;
        if (exponent < -4 || exponent >= 16) {
            text = digits.charAt(0) + (digits.length() > 1 ? "." + digits.substring(1) : "") + exponent(exponent, "e");
        } else {
            text = shortest.toPlainString();
            text += text.indexOf('.') < 0 ? ".0" : "";
        }
        return value < 0 ? "-" + text : text;
    }

    static String exponent(int exponent, String letter) {
        return letter + (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    }
}

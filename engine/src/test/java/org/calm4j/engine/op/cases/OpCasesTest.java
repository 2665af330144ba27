package org.calm4j.engine.op.cases;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Method;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class OpCasesTest {
    @AfterEach
    void forget() {
        System.clearProperty(OpCases.PROPERTY);
    }

    /** What takes tensors is an operation; the rest says what the backend is. */
    @Test
    void everyOperationOfABackendHasACase() {
        Set<String> called = OpCases.all().stream()
                .collect(Collectors.toMap(OpCase::op, of -> of, (first, second) -> first))
                .values()
                .stream()
                .flatMap(of -> Calls.of(of).stream())
                .map(Method::toGenericString)
                .collect(Collectors.toSet());
        assertThat(Stream.of(Backend.class.getMethods())
                        .filter(OpCasesTest::isOperation)
                        .map(Method::toGenericString)
                        .filter(method -> !called.contains(method)))
                .as("methods of Backend that no case in OpCases calls")
                .isEmpty();
    }

    private static boolean isOperation(Method method) {
        return Stream.of(method.getGenericParameterTypes())
                .anyMatch(type -> type == Draws.class || type.getTypeName().contains(Tensor.class.getName()));
    }

    @Test
    void namesAreDifferentAndSayAll() {
        List<String> names = OpCases.all().stream().map(OpCase::name).toList();
        assertThat(names).doesNotHaveDuplicates();
        assertThat(new RmsNormCase(3, 65, DType.BF16).name()).isEqualTo("rmsNorm(t=3,c=65,w=bf16)");
        assertThat(new AttentionCase(2, 1, 8, Forest.PREFIX, 30, true).name())
                .isEqualTo("attention(h=2,g=1,d=8,forest=prefix,window=30,low)");
    }

    @Test
    void anEmulatedBackendRunsSomeOfEachOperation() {
        assertThat(OpCases.chosen(13).stream().map(OpCase::op).distinct())
                .containsExactlyElementsOf(
                        OpCases.all().stream().map(OpCase::op).distinct().toList());
        assertThat(OpCases.chosen(13)).hasSizeLessThan(OpCases.all().size() / 5);
    }

    /** No name is a part of another's, so that each asks for its case alone. */
    @Test
    void aNameAsksForOneCaseAndAPartForMany() {
        List<String> names = OpCases.all().stream().map(OpCase::name).toList();
        assertThat(names).allSatisfy(name -> assertThat(names.stream().filter(other -> other.contains(name)))
                .hasSize(1));
        System.setProperty(OpCases.PROPERTY, "rmsnorm(t=3,c=65,w=f16)");
        assertThat(OpCases.chosen(13)).containsExactly(new RmsNormCase(3, 65, DType.F16));
        System.setProperty(OpCases.PROPERTY, "RMSNORM");
        assertThat(OpCases.chosen(13)).hasSize(RmsNormCase.all().size());
        System.setProperty(OpCases.PROPERTY, "rmsnrm");
        assertThatThrownBy(() -> OpCases.chosen(1))
                .hasMessageContaining("'rmsnrm'")
                .hasMessageContaining("rmsNorm");
    }
}

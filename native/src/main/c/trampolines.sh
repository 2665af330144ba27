#!/bin/sh
# Reads names of functions; writes, in assembler, the names, a slot for each, and a function of each name that jumps to where its slot
# points.
echo '    .section .note.GNU-stack,"",@progbits'
names=$(cat)
echo '    .section .rodata'
for name in $names; do echo "name_$name: .asciz \"$name\""; done
echo '    .section .data.rel.ro,"aw",@progbits'
echo '    .globl calm_names'
echo '    .hidden calm_names'
echo '    .balign 8'
echo 'calm_names:'
for name in $names; do echo "    .quad name_$name"; done
echo '    .quad 0'
echo '    .bss'
echo '    .globl calm_slots'
echo '    .hidden calm_slots'
echo '    .balign 8'
echo 'calm_slots:'
echo "    .skip $(($(echo "$names" | wc -l) * 8))"
echo '    .text'
i=0
for name in $names; do
    printf '    .globl %s\n    .type %s, @function\n%s:\n' "$name" "$name" "$name"
    printf '    jmp *calm_slots+%d(%%rip)\n    .size %s, .-%s\n' $((8 * i)) "$name" "$name"
    i=$((i + 1))
done

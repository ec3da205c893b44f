/* The planner's bytecode as read-only data. PLANNER_BYTECODE is the file's path, given by the build. */
    .section .rodata
    .balign 16
    .global sing_planner_bytecode
sing_planner_bytecode:
    .incbin PLANNER_BYTECODE
    .global sing_planner_bytecode_end
sing_planner_bytecode_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits

;; Looks for what others have left in 8 MiB of fresh memory, and leaves its own there.
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (local $at i32) (local $end i32)
    (local.set $at (i32.mul (memory.grow (i32.const 128)) (i32.const 65536)))
    (local.set $end (i32.mul (memory.size) (i32.const 65536)))
    (loop $again
      (if (i64.ne (i64.load (local.get $at)) (i64.const 0))
        (then (i32.store (i32.const 1104) (i32.const 0x6b61656c)))) ;; "leak"
      (i64.store (local.get $at) (i64.const 0x5a5a5a5a5a5a5a5a))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $again (i32.lt_u (local.get $at) (local.get $end))))
    (i32.const 2432))

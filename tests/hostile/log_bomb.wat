;; Logs 60,000 bytes in one line, a hundred times.
  (import "airlock:guest/client@0.1.0" "log" (func $log (param i32 i32 i32)))
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (local $n i32)
    (memory.fill (i32.const 4096) (i32.const 0x61) (i32.const 60000))
    (loop $again
      (call $log (i32.const 1) (i32.const 4096) (i32.const 60000))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 100))))
    (i32.const 2432))

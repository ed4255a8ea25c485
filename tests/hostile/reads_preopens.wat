(component
  ;; Asks for the directories that it may read.
  (import "wasi:filesystem/preopens@0.2.3" (instance)))

;;; midfill.el --- Grey-text suggestions from a diffusion language model  -*- lexical-binding: t -*-

;; SPDX-License-Identifier: Apache-2.0
;; Version: 0.1.0
;; Package-Requires: ((emacs "29.1"))
;; Keywords: convenience

;;; Commentary:

;; (add-hook 'prog-mode-hook #'midfill-mode)
;;
;; Works beside eglot, lsp-mode and any completion popup: it has a language server of its own,
;; `midfill lsp', and needs nothing but what comes with Emacs.

;;; Code:

(require 'midfill-connection)

(defcustom midfill-delay 0.02
  "Seconds without a key before the server is asked.
The server itself waits too, as your typing asks for."
  :type 'number
  :group 'midfill)

(defface midfill-suggestion '((t :inherit shadow))
  "What is suggested."
  :group 'midfill)

(defvar midfill-mode)

(defconst midfill--invoked 1)
(defconst midfill--automatic 2)

(defvar-local midfill--overlay nil "Shows the suggestion; non-nil while there is one.")
(defvar-local midfill--items nil "The suggestions to choose from.")
(defvar-local midfill--index 0 "Which of them is shown.")
(defvar-local midfill--rest nil "What of it is not in the buffer yet.")
(defvar-local midfill--start 0 "Where that is to go.")
(defvar-local midfill--end 0 "It stands in for the text up to here.")
(defvar-local midfill--behind nil "What stood behind it on the line.")
(defvar-local midfill--tick nil "The state of the buffer at the last look.")
(defvar-local midfill--timer nil)

;;; Showing

(defun midfill--hide ()
  "Show nothing."
  (when midfill--overlay
    (delete-overlay midfill--overlay))
  (setq midfill--overlay nil midfill--items nil midfill--rest nil))

(defun midfill--draw ()
  "Show the rest of the suggestion, with the cursor before it."
  (let ((text (propertize midfill--rest 'face 'midfill-suggestion)))
    (put-text-property 0 1 'cursor t text)
    (unless midfill--overlay
      (setq midfill--overlay (make-overlay midfill--start midfill--start)))
    (move-overlay midfill--overlay midfill--start midfill--start)
    (overlay-put midfill--overlay 'after-string text)))

(defun midfill--show (items index)
  "Show the one of ITEMS at INDEX."
  (let* ((index (mod index (length items)))
         (item (aref items index))
         (range (plist-get item :range)))
    (setq midfill--items items
          midfill--index index
          midfill--rest (plist-get item :insertText)
          midfill--start (midfill--place (plist-get range :start))
          midfill--end (midfill--place (plist-get range :end))
          midfill--behind (midfill--line-behind midfill--end))
    (midfill--draw)))

(defun midfill--line-behind (place)
  "What stands behind PLACE on its line."
  (save-excursion
    (goto-char place)
    (buffer-substring-no-properties place (line-end-position))))

(defun midfill--type-through ()
  "Go on with the suggestion if its beginning has just been typed; whether it was."
  (let ((typed (- (point) midfill--start)))
    (when (and (<= 0 typed) (< typed (length midfill--rest))
               (string-prefix-p (buffer-substring-no-properties midfill--start (point)) midfill--rest)
               (equal (midfill--line-behind (+ midfill--end typed)) midfill--behind))
      (setq midfill--rest (substring midfill--rest typed)
            midfill--start (+ midfill--start typed)
            midfill--end (+ midfill--end typed))
      (midfill--draw)
      t)))

;;; Asking

(defun midfill--after-command ()
  "Tell the server of changes, keep what still fits, and have it asked."
  (let* ((tick (buffer-chars-modified-tick))
         (changed (not (eql tick midfill--tick))))
    (setq midfill--tick tick)
    (when (and midfill--overlay
               (not (if changed (midfill--type-through) (= (point) midfill--start))))
      (midfill--hide))
    (when changed
      (midfill--ensure-server)
      (midfill--sync)
      (when midfill--timer
        (cancel-timer midfill--timer))
      (setq midfill--timer
            (unless (or (memq this-command '(undo undo-only undo-redo)) buffer-read-only)
              (run-with-idle-timer midfill-delay nil #'midfill--ask-in (current-buffer)))))))

(defun midfill--ensure-server ()
  "Start the server again if it has ended; never fails."
  (condition-case error
      (midfill--start)
    (error (message "%s" (error-message-string error)))))

(defun midfill--ask-in (buffer)
  "Ask for a suggestion at point in BUFFER, if somebody looks at it."
  (when (and (buffer-live-p buffer) (eq buffer (window-buffer)))
    (with-current-buffer buffer
      (unless (use-region-p)
        (midfill--ask midfill--automatic)))))

(defun midfill--ask (kind &optional index)
  "Ask for suggestions at point and show the one at INDEX, or 0.
KIND is `midfill--automatic', or `midfill--invoked' for several
and for word if there is none.  Returns whether it could ask."
  (when (midfill--sync)
    (let ((buffer (current-buffer))
          (tick (buffer-chars-modified-tick))
          (place (point)))
      (jsonrpc-async-request
       midfill--connection :textDocument/inlineCompletion
       (list :textDocument (list :uri (midfill--uri))
             :position (midfill--position place)
             :context (list :triggerKind kind))
       :success-fn
       (lambda (answer)
         (when (buffer-live-p buffer)
           (with-current-buffer buffer
             (when (and answer midfill-mode (= place (point))
                        (= tick (buffer-chars-modified-tick)))
               (midfill--take (plist-get answer :items) (or index 0) kind)))))
       :error-fn #'ignore
       :timeout-fn #'ignore
       :timeout 60))
    t))

(defun midfill--take (items index kind)
  "Show the one of ITEMS at INDEX, or nothing if there are none.
KIND is how they were asked for."
  (cond ((length> items 0) (midfill--show items index))
        ((= kind midfill--invoked) (midfill-explain))
        (t (midfill--hide))))

;;; Keys

(defun midfill--popup-open ()
  "Whether a completion popup is open, whose keys come first."
  (or (bound-and-true-p completion-in-region-mode) (bound-and-true-p company-candidates)))

(defun midfill--unless-popup (command)
  "COMMAND for a key that is the popup's while there is one."
  `(menu-item "" ,command :filter ,(lambda (bound) (unless (midfill--popup-open) bound))))

(defvar midfill-shown-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "TAB") (midfill--unless-popup #'midfill-accept))
    (define-key map (kbd "<tab>") (midfill--unless-popup #'midfill-accept))
    (define-key map [remap forward-word] #'midfill-accept-word)
    (define-key map [remap move-end-of-line] #'midfill-accept-line)
    (define-key map (kbd "M-n") #'midfill-next)
    (define-key map (kbd "M-p") #'midfill-previous)
    (define-key map [remap keyboard-quit] #'midfill-dismiss)
    map)
  "Keys while a suggestion is shown.")

(defvar midfill--keys `((midfill--overlay . ,midfill-shown-map)))
(add-to-list 'emulation-mode-map-alists 'midfill--keys)

(defun midfill-accept ()
  "Insert the suggestion that is shown."
  (interactive "*")
  (when midfill--overlay
    (let ((text midfill--rest)
          (start midfill--start)
          (end midfill--end)
          (command (plist-get (aref midfill--items midfill--index) :command)))
      (midfill--hide)
      (goto-char start)
      (delete-region start end)
      (insert text)
      (when command
        (apply #'midfill--execute (plist-get command :command)
               (append (plist-get command :arguments) nil))))))

(defun midfill--accept-to (regexp)
  "Insert the suggestion up to the end of REGEXP's first match, or all of it."
  (if (and midfill--overlay (= midfill--start midfill--end) (string-match regexp midfill--rest)
           (< (match-end 0) (length midfill--rest)))
      (insert (substring midfill--rest 0 (match-end 0)))
    (midfill-accept)))

(defun midfill-accept-word ()
  "Insert the suggestion's next word."
  (interactive "*")
  (midfill--accept-to "\\W*\\w+"))

(defun midfill-accept-line ()
  "Insert the suggestion's next line."
  (interactive "*")
  (midfill--accept-to "\\`\n*[^\n]+"))

(defun midfill-dismiss ()
  "Show no suggestion."
  (interactive)
  (midfill--hide))

(defun midfill-suggest ()
  "Ask for suggestions at point, also where there are none unasked."
  (interactive)
  (midfill--start)
  (unless (midfill--ask midfill--invoked)
    (message "Midfill is still starting")))

(defun midfill-next (&optional step)
  "Show another suggestion, the next or the one STEP further."
  (interactive)
  (let ((index (+ midfill--index (or step 1))))
    (if (length> midfill--items 1)
        (midfill--show midfill--items index)
      (midfill--ask midfill--invoked index))))

(defun midfill-previous ()
  "Show the suggestion before."
  (interactive)
  (midfill-next -1))

;;; Commands of the server

(defun midfill-explain ()
  "Say why nothing was suggested the last time."
  (interactive)
  (midfill--execute "midfill.explain" (midfill--uri)))

(defun midfill-snooze (minutes)
  "Suggest nothing unasked for MINUTES, by default 5."
  (interactive "p")
  (midfill--execute "midfill.snooze" (if current-prefix-arg minutes 5)))

(defun midfill-resume ()
  "Suggest again."
  (interactive)
  (midfill--execute "midfill.resume"))

(defun midfill-fill-region (beg end)
  "Replace the text from BEG to END by what fits between its two sides."
  (interactive "*r")
  (deactivate-mark)
  (midfill--execute "midfill.fillRange" (midfill--uri)
                    (list :start (midfill--position beg) :end (midfill--position end))))

(defun midfill-fill-holes ()
  "Fill every placeholder of the buffer, or of the region if there is one."
  (interactive "*")
  (let ((range (when (use-region-p)
                 (list (list :start (midfill--position (region-beginning))
                             :end (midfill--position (region-end)))))))
    (deactivate-mark)
    (apply #'midfill--execute "midfill.fillHoles" (midfill--uri) range)))

(defun midfill-restart ()
  "Stop the server, if it runs, and start it anew."
  (interactive)
  (midfill--stop)
  (setq midfill--ends nil)
  (midfill--start))

;;; The mode

(defun midfill--lighter ()
  "The mode's part of the mode line."
  (let ((state (plist-get midfill--status :state))
        (activity (plist-get midfill--status :activity)))
    (cond ((or (midfill--given-up) (equal state "failed")) " Midfill!")
          ((not midfill--ready) " Midfill:starting")
          ((equal state "loading") " Midfill:loading")
          ((equal activity "paused") " Midfill:paused")
          ((equal activity "thinking") " Midfill…")
          (t " Midfill"))))

(defconst midfill--hooks
  '((before-change-functions . midfill--before-change)
    (after-change-functions . midfill--after-change)
    (post-command-hook . midfill--after-command)
    (kill-buffer-hook . midfill--close)))

;;;###autoload
(define-minor-mode midfill-mode
  "Show suggestions in grey where you type.
\\<midfill-shown-map>\\[midfill-accept] takes one, \\[midfill-accept-word] a word of it,
\\[midfill-accept-line] a line; \\[midfill-next] and \\[midfill-previous] show others."
  :lighter (:eval (midfill--lighter))
  (pcase-dolist (`(,hook . ,function) midfill--hooks)
    (if midfill-mode
        (add-hook hook function nil t)
      (remove-hook hook function t)))
  (cond ((not midfill-mode) (midfill--hide) (midfill--close))
        ((or (minibufferp) (file-remote-p default-directory)) (midfill-mode -1))
        (t (setq midfill--tick (buffer-chars-modified-tick))
           (midfill--ensure-server)
           (midfill--sync))))

;;;###autoload
(define-globalized-minor-mode global-midfill-mode midfill-mode midfill--turn-on
  :group 'midfill)

(defun midfill--turn-on ()
  "Turn on `midfill-mode' where code or text is written."
  (when (derived-mode-p 'prog-mode 'text-mode 'conf-mode)
    (midfill-mode 1)))

(provide 'midfill)
;;; midfill.el ends here

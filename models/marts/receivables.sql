{#- Invoices that were sent: what is due, and how long the paid ones took. No drafts. -#}
with payments as (
  select invoice_id, sum(amount) as paid_amount, max(paid_on) as last_paid_on
  from {{ ref('fct_payments') }}
  group by invoice_id
),

invoices as (
  select
    invoices.*,
    payments.paid_amount,
    case
      when invoices.state = 'paid' then coalesce(payments.last_paid_on, invoices.paid_on)
    end as settled_on,
    case
      when invoices.state = 'open' then {{ harvest.days_between('invoices.due_date', harvest.today()) }}
      when invoices.state = 'paid' then {{ harvest.days_between(
        'invoices.due_date', 'coalesce(payments.last_paid_on, invoices.paid_on)') }}
    end as days_after_due
  from {{ ref('fct_invoices') }} as invoices
  left join payments on payments.invoice_id = invoices.invoice_id
  where invoices.state <> 'draft'
)

select
  invoices.invoice_id,
  invoices.invoice_number,
  invoices.client_id,
  clients.client_name,
  invoices.state,
  invoices.currency,
  invoices.issue_date,
  invoices.due_date,
  invoices.amount,
  coalesce(invoices.paid_amount, 0) as paid_amount,
  case when invoices.state = 'open' then invoices.due_amount else 0 end as due_amount,
  case when invoices.state = 'open' then invoices.due_amount_account else 0 end
    as due_amount_account,
  case when invoices.days_after_due > 0 then invoices.days_after_due else 0 end as days_late,
  case
    when invoices.state = 'paid' then 'paid'
    when invoices.state = 'closed' then 'written off'
    when invoices.due_date is null then 'no due date'
    when invoices.days_after_due <= 0 then 'not due'
    when invoices.days_after_due <= 30 then '1 to 30'
    when invoices.days_after_due <= 60 then '31 to 60'
    when invoices.days_after_due <= 90 then '61 to 90'
    else 'more than 90'
  end as bucket,
  invoices.settled_on,
  {{ harvest.days_between('invoices.issue_date', 'invoices.settled_on') }} as days_to_payment
from invoices
left join {{ ref('dim_clients') }} as clients on clients.client_id = invoices.client_id
